"""A small picture of an uploaded file, made without trusting the file."""

import io

from PIL import Image, ImageOps

# What the inference API reads; anything else is refused there, so there is nothing to show.
# The same list: inference/preprocessing/decoding.py.
FORMATS = ("PNG", "JPEG", "WEBP", "BMP", "GIF")
# The side at which the API refuses. Checked against the header, before a pixel is decoded.
MAX_SIDE = 4096
THUMBNAIL_SIDE = 256


class ThumbnailError(Exception):
    """The file is not an image that can be shown."""


def make_thumbnail(data: bytes, side: int = THUMBNAIL_SIDE) -> bytes:
    """Turn the bytes of an image into a PNG of at most side x side pixels, upright.

    Raises:
        ThumbnailError: not one of FORMATS, broken, or a side over MAX_SIDE.

    """
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            if max(image.size) > MAX_SIDE:
                raise ThumbnailError(f"a side is over {MAX_SIDE} pixels")
            image.draft("RGB", (side, side))
            upright = ImageOps.exif_transpose(image)
            # 16 bit would saturate in the conversion; a thumbnail of it is not worth the code.
            small = upright.convert(
                "RGBA" if "A" in upright.getbands() or "transparency" in image.info else "RGB"
            )
            small.thumbnail((side, side))
            out = io.BytesIO()
            small.save(out, "PNG")
    except ThumbnailError:
        raise
    except Exception as error:  # a decoder may raise anything on a hostile file
        raise ThumbnailError("not an image that can be shown") from error
    return out.getvalue()
