"""Original reader: returns an original image by the digest of its pixels."""

import threading
from dataclasses import dataclass

from inference.database.pool import Database, utc
from inference.errors import ImagesUnavailableError, UnknownImageError
from inference.originals.keys import key_in, media_type_of
from inference.originals.open_store import open_store
from inference.originals.store import StorageUnavailableError

SELECT_IMAGE = f"""
SELECT original_url, {utc("deleted_at")} AS deleted_at FROM images
WHERE id = left(%s, 32)::uuid AND digest = %s
"""
# Limits how many of Connexion's ten request handlers a hanging store can block.
MAX_CONCURRENT_READS = 2
QUEUE_SECONDS = 0.5


@dataclass(frozen=True)
class Original:
    """Bytes of an image as the client sent them, and their media type."""

    data: bytes
    media_type: str


class OriginalReader:
    """Reads originals from the store at a URL."""

    def __init__(self, database: Database, url: str) -> None:
        """Open the store. Raises ValueError for an invalid URL."""
        self._database = database
        self._store = open_store(url)
        self._slots = threading.BoundedSemaphore(MAX_CONCURRENT_READS)

    def get(self, digest: str) -> Original:
        """Return the original of an image.

        Raises UnknownImageError, ImagesUnavailableError and DatabaseUnavailableError.
        """
        rows = self._database.query(SELECT_IMAGE, [digest, digest])
        if not rows:
            raise UnknownImageError
        image = rows[0]
        if image["original_url"] is None:
            raise UnknownImageError(
                f"The original was deleted at {image['deleted_at']}, when its retention time"
                " ended. Its statistics remain in the database."
                if image["deleted_at"] is not None
                else "The original of this image is not stored."
                " Its digest and statistics are in the database."
            )
        # The row's media_type is that of the first upload, which may not be the stored one.
        key = key_in(image["original_url"])
        data = self._read(key)
        if data is None:
            raise UnknownImageError(
                "The original is missing in the store. Something else deleted it."
            )
        return Original(data, media_type_of(key))

    def _read(self, key: str) -> bytes | None:
        if not self._slots.acquire(timeout=QUEUE_SECONDS):
            raise ImagesUnavailableError
        try:
            return self._store.get(key)
        except StorageUnavailableError as error:
            raise ImagesUnavailableError from error
        finally:
            self._slots.release()
