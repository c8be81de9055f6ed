"""The original images, where they are stored, by the digest of what the models saw."""

import threading
from dataclasses import dataclass

from inference.database.pool import Database, utc
from inference.errors import ImagesUnavailableError, UnknownImageError
from inference.originals.store import Storage, StorageUnavailableError, key_in, media_type_of

FIND = f"SELECT original_url, {utc('deleted_at')} AS deleted_at FROM images WHERE id = left(%s, 32)::uuid AND digest = %s"
# A storage that hangs may hold so many of the ten handlers; the others answer.
MAX_AT_ONCE = 2
TURN_SECONDS = 0.5


@dataclass(frozen=True)
class Original:
    """The bytes of an image as it was sent, and their type."""

    data: bytes
    media_type: str


class Originals:
    """The originals in the storage at a URL."""

    def __init__(self, database: Database, url: str) -> None:
        self._database = database
        self._storage = Storage.of(url)
        self._turns = threading.BoundedSemaphore(MAX_AT_ONCE)

    def one(self, digest: str) -> Original:
        """Return an original. Raises UnknownImageError, ImagesUnavailableError and DatabaseUnavailableError."""
        found = self._database.query(FIND, [digest, digest])
        if not found:
            raise UnknownImageError
        image = found[0]
        if image["original_url"] is None:
            raise UnknownImageError(
                f"The original was deleted at {image['deleted_at']}, when its retention time was over; its statistics stay."
                if image["deleted_at"] is not None
                else "The original of this image is not stored; its digest and statistics are."
            )
        key = key_in(
            image["original_url"]
        )  # not by the image's media_type: what was sent first may not be what was stored
        data = self._get(key)
        if data is None:
            raise UnknownImageError(
                "The database says that the original is stored, but the storage has it no more."
            )
        return Original(data, media_type_of(key))

    def _get(self, key: str) -> bytes | None:
        if not self._turns.acquire(timeout=TURN_SECONDS):
            raise ImagesUnavailableError
        try:
            return self._storage.get(key)
        except StorageUnavailableError as error:
            raise ImagesUnavailableError from error
        finally:
            self._turns.release()
