"""Image decoding: PNG, JPEG, WebP, BMP and GIF files to gray pixels."""

import io
import re
import warnings

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from inference.errors import UnreadableImageError, UnsupportedImageError
from inference.preprocessing.plain_png import CHUNK_HEAD, MAX_SIDE, decode_plain_png

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
# A chunk costs Pillow some 5 us. A text or a profile may unpack to 1 MB and costs a thousand times
# as much.
MAX_CHUNKS = 10_000
COMPRESSED_CHUNK_COST = 200
COMPRESSED_CHUNKS = frozenset({b"zTXt", b"iTXt", b"iCCP"})


def media_type(data: bytes) -> str:
    """Return the media type of a decodable image, such as image/png."""
    for name, signatures in SIGNATURES.items():
        if data.startswith(signatures):
            return MEDIA_TYPES[name]
    return UNKNOWN_MEDIA_TYPE


def decode(data: bytes) -> NDArray[np.uint8]:
    """Return an encoded image as gray pixels, uint8 of shape (height, width).

    The format is detected by content. Sides are 1 to 4096 pixels, and there is one frame. EXIF
    rotation is applied, transparency is composited on white, and 16-bit gray keeps its high byte.
    Raises UnsupportedImageError for other formats, and UnreadableImageError for an image that is
    empty, broken, too large or animated.
    """
    plain = decode_plain_png(data)
    if plain is not None:
        return plain
    if not data:
        raise UnreadableImageError("The file is empty. Send the bytes of an image.")
    if data.startswith(SIGNATURES["PNG"]) and _chunk_cost(data) > MAX_CHUNKS:
        raise UnreadableImageError(
            f"The PNG file has more than {MAX_CHUNKS} chunks. Save it without metadata."
        )
    formats = [name for name, signatures in SIGNATURES.items() if data.startswith(signatures)]
    if not formats:
        raise UnsupportedImageError(ENCODED if BASE64_TEXT.match(data) else None)
    try:
        with warnings.catch_warnings():
            # Pillow warns about odd metadata, and about sizes that `_check_header` rejects.
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(data), formats=formats) as image:
                _check_header(image)
                ImageOps.exif_transpose(image, in_place=True)
                return _to_gray(image)
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


def _chunk_cost(data: bytes) -> int:
    """Return the number of chunks of a PNG, with compressed chunks counted by their cost.

    Counting stops above MAX_CHUNKS.
    """
    position, cost = 8, 0
    while position + 8 <= len(data) and cost <= MAX_CHUNKS:
        length, kind = CHUNK_HEAD.unpack_from(data, position)
        cost += COMPRESSED_CHUNK_COST if kind in COMPRESSED_CHUNKS else 1
        position += 12 + length
    return cost


def _check_header(image: Image.Image) -> None:
    """Reject an image by its header, before anything is decompressed."""
    if not 1 <= image.width <= MAX_SIDE or not 1 <= image.height <= MAX_SIDE:
        raise UnreadableImageError(
            f"The image has a side outside 1 to {MAX_SIDE} pixels. Resize it."
        )
    # A camera's JPEG may carry previews behind the first picture (MPO), which are not an animation.
    if getattr(image, "n_frames", 1) > 1 and image.format != "MPO":
        raise UnreadableImageError("The image is animated. Send a single frame.")


def _to_gray(image: Image.Image) -> NDArray[np.uint8]:
    if image.mode.startswith("I"):  # 16 bits; Pillow's own conversion clips at 255
        return (np.asarray(image).astype(np.uint32) >> 8).clip(0, 255).astype(np.uint8)
    if image.has_transparency_data:
        if image.mode not in ("LA", "RGBA"):
            image = image.convert("RGBA")
        on_white = Image.new("L", image.size, 255)
        on_white.paste(image.convert("L"), mask=image.getchannel("A"))
        return np.asarray(on_white)
    if image.mode not in ("1", "L", "RGB", "P"):
        image = image.convert("RGB")  # Pillow cannot convert CMYK and similar modes to gray
    return np.asarray(image.convert("L"))
