"""Photo reduction: large image files to files that the inference API accepts."""

import io
import threading
import warnings
from typing import Any

import numpy as np
from PIL import Image, ImageOps

from servicekit.image_files import is_costly
from web.data.image_formats import FORMATS

# Limits of the API by default. A smaller file passes unchanged.
MAX_API_BYTES = 2 * 2**20
MAX_API_SIDE = 4096
# JPEG only, because libjpeg reads it at half or a quarter of its size. A progressive file is in
# memory as a whole.
MAX_JPEG_PIXELS = 2**26
MAX_PROGRESSIVE_PIXELS = 2**24
# Pixels of the longest side. The API averages a larger image down to half of this before it looks
# for the digit, so a small digit in a large photo loses nothing.
REDUCED_SIDE = 2048
MIN_DRAFT_SIDE = 1600  # a JPEG is read in the smallest size that is not below it
JPEG_FORMATS = ("JPEG", "MPO")  # MPO: a JPEG with previews behind it, as many phones write
QUALITIES = (92, 80, 60)

# One at a time: a photo takes up to 200 MB meanwhile.
_lock = threading.Lock()


class UnusablePhotoError(Exception):
    """The file cannot be reduced. The message says what is wrong and what to do."""


def reduce_photo(data: bytes) -> bytes:
    """Return an image file that the API accepts: the same file, or a smaller picture.

    A smaller picture is upright, has the colors and the transparency of the original, and no
    metadata. The API says what is wrong with a small file that is no image.

    Raises:
        UnusablePhotoError: the file is too large for the API, and broken, animated, of another
            type, or has too many pixels.

    """
    is_small = len(data) <= MAX_API_BYTES
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # Pillow warns about odd metadata and large sizes
            with Image.open(io.BytesIO(data), formats=FORMATS) as image:
                if is_small and (
                    image.format not in JPEG_FORMATS or max(image.size) <= MAX_API_SIDE
                ):
                    return data
                _check(image, data)
                with _lock:
                    return _encode(_reduce(image), is_photo=image.format in JPEG_FORMATS)
    except UnusablePhotoError:
        raise
    except Image.DecompressionBombError as error:
        raise _too_many_pixels() from error
    except Exception as error:  # a decoder may raise anything on a malicious file
        if is_small:
            return data
        raise UnusablePhotoError(
            "The file is broken or not a supported image (PNG, JPEG, WebP, BMP or GIF). Upload an"
            " intact image."
        ) from error


def _check(image: Image.Image, data: bytes) -> None:
    """Reject a file by its header. Raises UnusablePhotoError."""
    if image.format in JPEG_FORMATS:
        is_progressive = bool(image.info.get("progressive"))
        limit = MAX_PROGRESSIVE_PIXELS if is_progressive else MAX_JPEG_PIXELS
        is_too_large = image.width * image.height > limit
    else:
        is_too_large = max(image.size) > MAX_API_SIDE
    if is_too_large:
        raise _too_many_pixels()
    if getattr(image, "is_animated", False) and image.format != "MPO":
        raise UnusablePhotoError("The image is animated. Upload a single frame.")
    if is_costly(data):
        raise UnusablePhotoError(
            "The image has too many parts to read it in time. Save it again in an image editor."
        )


def _too_many_pixels() -> UnusablePhotoError:
    return UnusablePhotoError("The image has too many pixels. Resize it to 4096 pixels a side.")


def _reduce(image: Image.Image) -> Image.Image:
    """Return an upright picture of at most REDUCED_SIDE: gray, RGB or RGBA."""
    longest = max(image.size)
    image.draft(
        None, (image.width * MIN_DRAFT_SIDE // longest, image.height * MIN_DRAFT_SIDE // longest)
    )
    if image.mode.startswith("I"):  # 16 bits; Pillow's own conversion clips at 255
        shades = np.asarray(image).astype(np.uint32) >> 8
        picture = Image.fromarray(shades.clip(0, 255).astype(np.uint8))
    elif image.has_transparency_data:
        picture = image.convert("RGBA")
    else:
        picture = image.convert("L" if image.mode in ("1", "L") else "RGB")
    # This filter has no overshoot, so paper of one shade stays so.
    picture.thumbnail((REDUCED_SIDE, REDUCED_SIDE), Image.Resampling.HAMMING)
    # The orientation is in the original's metadata, which the conversion of 16 bits has not.
    picture.info = image.info
    return ImageOps.exif_transpose(picture)


def _encode(picture: Image.Image, *, is_photo: bool) -> bytes:
    """Return a file of at most MAX_API_BYTES: lossless if possible, unless it is a photo."""
    lossy: dict[str, Any] = (
        {"format": "WEBP", "method": 1}  # fast
        if picture.mode == "RGBA"
        else {"format": "JPEG", "subsampling": 0}
    )
    attempts = [{**lossy, "quality": quality} for quality in QUALITIES]
    if not is_photo:
        attempts.insert(0, {"format": "PNG"})
    while True:
        for options in attempts:
            out = io.BytesIO()
            picture.save(out, exif=b"", icc_profile=None, **options)
            if out.tell() <= MAX_API_BYTES:
                return out.getvalue()
        picture = picture.reduce(2)
