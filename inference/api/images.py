"""GET /images: the original bytes of an uploaded image."""

from inference.api import validation
from inference.originals.reader import Original, OriginalReader


class ImagesApi:
    """The operation of the resource /images."""

    def __init__(self, originals: OriginalReader) -> None:
        self._originals = originals

    def get_image(self, image_digest: str) -> Original:
        """Return an original. Raises the errors of openapi.yaml."""
        return self._originals.get(validation.digest(image_digest, "image_digest"))
