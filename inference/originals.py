"""The original images, where they are stored, by the digest of what the models saw."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from inference.database import Database, utc
from inference.errors import ImagesUnavailable, UnknownImage

if TYPE_CHECKING:
    from inference.storage import Storage

FIND = (
    f"SELECT media_type, original_url, {utc('deleted_at')} AS deleted_at FROM images WHERE id = left(%s, 32)::uuid AND digest = %s"
)
EXTENSIONS = {"image/png": ".png", "image/jpeg": ".jpg", "image/webp": ".webp", "image/bmp": ".bmp", "image/gif": ".gif"}


@dataclass(frozen=True)
class Original:
    """The bytes of an image as it was sent, and their type."""

    data: bytes
    media_type: str


class Originals:
    """The originals in the storage at a URL, which is opened when it is first needed."""

    def __init__(self, database: Database, url: str) -> None:
        self._database = database
        self._url = url
        self._storage: Storage | None = None

    def one(self, digest: str) -> Original:
        """Return an original. Raises UnknownImage, ImagesUnavailable and DatabaseUnavailable."""
        found = self._database.query(FIND, [digest, digest])
        if not found:
            raise UnknownImage
        image = found[0]
        extension = EXTENSIONS.get(image["media_type"])
        if image["original_url"] is None or extension is None:
            raise UnknownImage(
                f"The original was deleted at {image['deleted_at']}, when its retention time was over; its statistics stay."
                if image["deleted_at"] is not None
                else "The original of this image is not stored; its digest and statistics are."
            )
        data = self._get(f"{digest[:2]}/{digest}{extension}")
        if data is None:
            raise UnknownImage("The database says that the original is stored, but the storage has it no more.")
        return Original(data, image["media_type"])

    def _get(self, key: str) -> bytes | None:
        from inference.storage import Storage, StorageUnavailable  # noqa: PLC0415  # an S3 client is much to import for a service without one

        try:
            if self._storage is None:
                self._storage = Storage.of(self._url)
            return self._storage.get(key)
        except StorageUnavailable as error:
            raise ImagesUnavailable from error
