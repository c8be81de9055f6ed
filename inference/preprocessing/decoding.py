"""Image decoding: PNG, JPEG, WebP, BMP and GIF files to gray pixels."""

import io
import re
import warnings
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image, ImageOps, UnidentifiedImageError

from inference.errors import UnreadableImageError, UnsupportedImageError
from inference.preprocessing.jpeg import has_single_scan
from inference.preprocessing.plain_png import MAX_SIDE, decode_plain_png
from servicekit.image_files import MAX_JPEG_SCANS, MAX_PNG_COST, jpeg_scans, png_cost

# The supported formats, by the first bytes of their files. A new format must also be added to
# errors.UnsupportedImageError, originals/keys.py, openapi.yaml and doc/api.md, and in web/ to
# data/image_formats.py.
SIGNATURES = {
    "PNG": (b"\x89PNG\r\n\x1a\n",),
    "JPEG": (b"\xff\xd8\xff",),
    "WEBP": (b"RIFF",),
    "BMP": (b"BM",),
    "GIF": (b"GIF87a", b"GIF89a"),
}
# Data URLs, and the signatures above in base64.
BASE64_TEXT = re.compile(rb"[\s\"']*(data:|iVBORw0KGgo|[/_]9j[/_]|UklGR|Qk[0-3]|R0lGOD[dl]h)")
ENCODED = (
    "The file has an image as base64 text. Decode it, of a data URL the part after the comma, and "
    "send the bytes (PNG, JPEG, WebP, BMP or GIF)."
)
MEDIA_TYPES = {name: f"image/{name.lower()}" for name in SIGNATURES}
UNKNOWN_MEDIA_TYPE = "application/octet-stream"
# A JPEG of a single scan is decoded row by row and at 1/2 to 1/8 of its size (measured: 50
# megapixels in 0.15 s and 6 MB, 100 of one shade in 0.1 s and 4 MB).
MAX_JPEG_SIDE = 10_000  # pixels
REDUCED_SIDE = 1024  # pixels; a JPEG is decoded at the smallest scale with both sides this long
TURNED = frozenset({5, 6, 7, 8})  # EXIF orientations that exchange width and height
# Ink on a transparent picture: shades of one color differ by at most this, and light is above the
# middle of the range.
ONE_COLOR, LIGHT = 32, 128


def media_type(data: bytes) -> str:
    """Return the media type of a decodable image, such as image/png."""
    for name, signatures in SIGNATURES.items():
        if data.startswith(signatures):
            return MEDIA_TYPES[name]
    return UNKNOWN_MEDIA_TYPE


class DecodedImage(NamedTuple):
    """Gray pixels, uint8 of shape (rows, columns), and the image's full size in pixels.

    A large JPEG is decoded at a fraction of its size.
    """

    gray: NDArray[np.uint8]
    width: int
    height: int


def decode(data: bytes) -> DecodedImage:
    """Return an encoded image as gray pixels.

    The format is detected by content. Sides are 1 to 4096 pixels, or 10,000 for a JPEG of one scan,
    and there is one frame. EXIF rotation is applied. Transparency is composited on white, or on
    black for strokes of one light color. 16-bit gray keeps the 8 highest bits that the image uses.
    Raises UnsupportedImageError for other formats, and UnreadableImageError for an image that is
    empty, broken, too large or animated.
    """
    plain = decode_plain_png(data)
    if plain is not None:
        return DecodedImage(plain, plain.shape[1], plain.shape[0])
    if not data:
        raise UnreadableImageError("The file is empty. Send the bytes of an image.")
    if data.startswith(SIGNATURES["PNG"]) and png_cost(data) > MAX_PNG_COST:
        raise UnreadableImageError(
            f"The PNG file has more than {MAX_PNG_COST} chunks. Save it without metadata."
        )
    formats = [name for name, signatures in SIGNATURES.items() if data.startswith(signatures)]
    if not formats:
        raise UnsupportedImageError(ENCODED if BASE64_TEXT.match(data) else None)
    try:
        with warnings.catch_warnings():
            # Pillow warns about odd metadata, and about sizes that `_check_header` rejects.
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(data), formats=formats) as image:
                _check_header(image, data)
                width, height = image.size
                if image.getexif().get(ExifTags.Base.Orientation) in TURNED:
                    width, height = height, width
                if max(image.size) > 2 * REDUCED_SIDE:
                    image.draft("L", (REDUCED_SIDE, REDUCED_SIDE))  # of no effect but on a JPEG
                ImageOps.exif_transpose(image, in_place=True)
                return DecodedImage(_to_gray(image), width, height)
    except UnreadableImageError:
        raise
    except UnidentifiedImageError as error:
        if formats == ["WEBP"] and data[8:12] != b"WEBP":  # RIFF also holds sound and video
            raise UnsupportedImageError from error
        raise UnreadableImageError(
            f"The {formats[0]} file is broken: its header cannot be read. Send an intact file."
        ) from error
    # Pillow's parsers raise OSError, ValueError, SyntaxError, struct.error and others.
    except Exception as error:
        raise UnreadableImageError(
            f"The {formats[0]} file is broken or truncated. Send an intact file."
        ) from error


def _check_header(image: Image.Image, data: bytes) -> None:
    """Reject an image by its header, before anything is decompressed."""
    is_jpeg = image.format in ("JPEG", "MPO")
    max_side = MAX_JPEG_SIDE if is_jpeg and has_single_scan(data) else MAX_SIDE
    if not 1 <= image.width <= max_side or not 1 <= image.height <= max_side:
        raise UnreadableImageError(
            f"The image has a side outside 1 to {max_side} pixels. Resize it."
        )
    if is_jpeg and max_side == MAX_SIDE and jpeg_scans(data) > MAX_JPEG_SCANS:
        raise UnreadableImageError(
            f"The JPEG file has more than {MAX_JPEG_SCANS} scans. Save it again."
        )
    # A camera's JPEG may carry previews behind the first picture (MPO), which are not an animation.
    if getattr(image, "n_frames", 1) > 1 and image.format != "MPO":
        raise UnreadableImageError("The image is animated. Send a single frame.")


def _to_gray(image: Image.Image) -> NDArray[np.uint8]:
    if image.mode.startswith("I"):  # 16 bits; Pillow's own conversion clips at 255
        deep = np.asarray(image).astype(np.uint32)
        return (deep >> max(0, int(deep.max()).bit_length() - 8)).clip(0, 255).astype(np.uint8)
    if image.has_transparency_data:
        return _composite(image if image.mode in ("LA", "RGBA") else image.convert("RGBA"))
    if image.mode not in ("1", "L", "RGB", "P"):
        image = image.convert("RGB")  # Pillow cannot convert CMYK and similar modes to gray
    return np.asarray(image.convert("L"))


def _composite(image: Image.Image) -> NDArray[np.uint8]:
    """Return a picture with alpha on white, or on black if white would hide it.

    Strokes of one light color, on transparent pixels, are the only ink that white hides.
    """
    gray, alpha = image.convert("L"), image.getchannel("A")
    lowest, highest = np.flatnonzero(alpha.histogram())[[0, -1]]
    paper = 255
    if lowest < highest:
        # At a stroke's edge, some programs mix its color with the paper's.
        opaque = alpha.point([255 * (value > 0.9 * highest) for value in range(256)])
        shades = np.flatnonzero(gray.histogram(opaque))
        if shades[0] >= LIGHT and shades[-1] - shades[0] <= ONE_COLOR:
            paper = 0
    composite = Image.new("L", image.size, paper)
    composite.paste(gray, mask=alpha)
    return np.asarray(composite)
