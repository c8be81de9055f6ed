"""Thumbnails of untrusted image files."""

import io

from PIL import Image, ImageOps

from servicekit.image_files import is_costly
from web.data.image_formats import FORMATS

# Limit of the API, in pixels. Checked against the header, before any pixel is decoded.
MAX_SIDE = 4096
THUMBNAIL_SIDE = 256


class ThumbnailError(Exception):
    """The file is not a supported image."""


def make_thumbnail(data: bytes, side: int = THUMBNAIL_SIDE) -> bytes:
    """Return an upright PNG of at most side x side pixels.

    Raises:
        ThumbnailError: the format is not in FORMATS, the file is broken, a side is too long, or
            reading takes too long.

    """
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            if is_costly(data):
                raise ThumbnailError("The file takes too long to read.")
            if max(image.size) > MAX_SIDE:
                raise ThumbnailError(f"A side is longer than {MAX_SIDE} pixels.")
            image.draft("RGB", (side, side))
            upright = ImageOps.exif_transpose(image)
            # Images of 16 bits saturate in the conversion, which is good enough for a thumbnail.
            small = upright.convert(
                "RGBA" if "A" in upright.getbands() or "transparency" in image.info else "RGB"
            )
            small.thumbnail((side, side))
            out = io.BytesIO()
            small.save(out, "PNG")
    except ThumbnailError:
        raise
    except Exception as error:  # a decoder may raise anything on a malicious file
        raise ThumbnailError("The file is not a supported image.") from error
    return out.getvalue()
