"""Bytes of an image -> the 28x28 pixels that every model reads.

Pure, and the only place that decides what a digit looks like.

The canonical form is MNIST's: uint8, 28x28, ink high (255) on 0, the digit in a 20x20 box with its
centre of mass in the middle of the frame (Y. LeCun, C. Cortes, C. Burges, "The MNIST database of
handwritten digits").
"""

import functools
import hashlib
import io
import struct
import warnings
import zlib
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError
from pyspng import _pyspng_c as spng  # pyspng's one function takes a fifth of a small image's time

from inference.errors import UnreadableImageError, UnsupportedImageError

SIDE = 28
BLACK_ROW = bytes(SIDE)
BOX = 20  # the digit's longer side within the frame
# Index of the pixel on which MNIST's digits have their centre of mass (measured: 13.99 and 14.01
# over its test digits).
CENTRE = 14.0
MAX_SIDE = 4096
# What is larger is averaged down to this before anything else: the digit needs 20 pixels, and
# memory counts.
LARGE_SIDE = 1024
# Ink is what is darker than a quarter of the range: JPEG's ringing and a scanner's paper stay below
# it.
INK_THRESHOLD = 64
SIGNATURES = {
    "PNG": (b"\x89PNG\r\n\x1a\n",),
    "JPEG": (b"\xff\xd8\xff",),
    "WEBP": (b"RIFF",),
    "BMP": (b"BM",),
    "GIF": (b"GIF87a", b"GIF89a"),
}
MEDIA_TYPES = {name: f"image/{name.lower()}" for name in SIGNATURES}
OCTETS = "application/octet-stream"

# A PNG that is nothing but grey of 8 bits, in this order: signature, IHDR, one IDAT, IEND.
PLAIN_PNG_HEAD = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"
PLAIN_PNG_KIND = b"\x08\0\0\0\0"  # bit depth, colour type, compression, filter, interlace
HEAD_BYTES = 33  # up to the checksum of IHDR
SMALL_BYTES = 65_536
SMALL_SIDE = 128  # bringing more than this to 28x28 takes longer than all the rest
PLAIN_PNG = struct.Struct(">16xII5sI")
# A chunk costs Pillow some 5 us, and a text or a profile, of which each may unpack to 1 MB, a
# thousand times that.
MAX_CHUNKS = 10_000
PACKED_COST = 200
PACKED_CHUNKS = frozenset({b"zTXt", b"iTXt", b"iCCP"})
CHUNK = struct.Struct(">I4s")
PNG_END = b"\0\0\0\0IEND\xaeB`\x82"
PLAIN_PNG_BYTES = HEAD_BYTES + CHUNK.size + 4 + len(PNG_END)  # besides what its IDAT holds

Pixels = NDArray[np.uint8]


class PreprocessedImage(NamedTuple):
    """An image as models see it and what it was made of.

    `pixels` are canonical, uint8 of shape (28, 28), `digest` their sha256; `width` and `height` are
    the original's, in pixels, and `original` are its bytes, None for an array.
    """

    pixels: Pixels
    digest: str
    width: int
    height: int
    original: bytes | None

    @classmethod
    def of(cls, data: bytes) -> "PreprocessedImage":
        """Read an encoded image. Raises UnsupportedImageError and UnreadableImageError."""
        grey = decode(data)
        pixels = frame(grey)
        height, width = grey.shape
        return cls(pixels, digest(pixels), width, height, data)

    @classmethod
    def of_array(cls, grey: Pixels) -> "PreprocessedImage":
        """Take grey pixels, uint8 of shape (height, width)."""
        pixels = frame(grey)
        height, width = grey.shape
        return cls(pixels, digest(pixels), width, height, None)


def read_digit(data: bytes) -> Pixels:
    """Return an encoded image as canonical pixels, uint8 of shape (28, 28).

    An image of 28x28 is taken as it stands, only inverted when its border is light: MNIST's own
    digits pass unchanged. Any other is cropped to its ink, fitted and centred. Raises
    UnsupportedImageError and UnreadableImageError.
    """
    return frame(decode(data))


def digest(pixels: Pixels) -> str:
    """Return the sha256, as hex, of canonical pixels, which are contiguous.

    The identity of an image.
    """
    return hashlib.sha256(pixels.data).hexdigest()


def media_type(data: bytes) -> str:
    """Return the media type of an encoded image that was read, as image/png."""
    for name, signatures in SIGNATURES.items():
        if data.startswith(signatures):
            return MEDIA_TYPES[name]
    return OCTETS


def decode(data: bytes) -> Pixels:
    """Return an encoded image as grey pixels, uint8 of shape (height, width), upright, transparency
    shown on white.

    Reads PNG, JPEG, WebP, BMP and GIF by their content, sides of 1 to 4096 pixels, one frame;
    16-bit grey keeps its high byte. Raises UnsupportedImageError for other bytes and UnreadableImageError for
    an image that is empty, broken, too large or animated.
    """
    plain = plain_png(data)
    if plain is not None:
        return plain
    if not data:
        raise UnreadableImageError("The file is empty.")
    if data.startswith(SIGNATURES["PNG"]) and _count_chunks(data) > MAX_CHUNKS:
        raise UnreadableImageError(f"The PNG file has more than {MAX_CHUNKS} chunks.")
    formats = [name for name, signatures in SIGNATURES.items() if data.startswith(signatures)]
    if not formats:
        raise UnsupportedImageError
    try:
        with warnings.catch_warnings():
            warnings.simplefilter(
                "ignore"
            )  # Pillow warns of sizes that are refused below, and of odd metadata
            with Image.open(io.BytesIO(data), formats=formats) as image:
                _check(image)
                ImageOps.exif_transpose(image, in_place=True)
                return _grey(image)
    except UnreadableImageError:
        raise
    except UnidentifiedImageError as error:
        if formats == ["WEBP"] and data[8:12] != b"WEBP":  # RIFF also holds sound and video
            raise UnsupportedImageError from error
        raise UnreadableImageError(
            f"The {formats[0]} file is broken: its header cannot be read."
        ) from error
    except Exception as error:  # Pillow raises whatever its parsers raise: OSError, ValueError, SyntaxError, struct.error, ...
        raise UnreadableImageError(f"The {formats[0]} file is broken or cut short.") from error


def is_small_plain_png(data: bytes) -> bool:
    """Tell whether an image is built as a plain PNG of at most SMALL_SIDE pixels a side.

    Reading it takes microseconds.

    Another PNG of that size may hold texts and profiles that take seconds.
    """
    size = _plain_size(data)
    return size is not None and max(size) <= SMALL_SIDE and len(data) <= SMALL_BYTES


def plain_png(data: bytes) -> Pixels | None:
    """Return the pixels of a plain PNG, five times as fast as Pillow gives the same.

    None for what is not one or is broken.
    """
    size = _plain_size(data)
    if size is None:
        return None
    if zlib.crc32(data[37:-16]) != int.from_bytes(data[-16:-12]):
        return None
    try:
        pixels: Pixels = spng.spng_decode_image_bytes(data, spng.SPNG_FMT_G8)
    except (RuntimeError, ValueError):  # Pillow decides whether it is broken
        return None
    return pixels.reshape(size)


def _plain_size(data: bytes) -> tuple[int, int] | None:
    """Return the height and width of what is built as a plain PNG from its first to its last byte,
    None for any other.
    """
    size = _size_in_head(data[:HEAD_BYTES])
    if size is None or data[37:41] != b"IDAT" or not data.endswith(PNG_END):
        return None
    return size if len(data) == PLAIN_PNG_BYTES + int.from_bytes(data[33:37]) else None


@functools.lru_cache(maxsize=256)
def _size_in_head(head: bytes) -> tuple[int, int] | None:
    """Return the height and width that the first HEAD_BYTES of a plain PNG say, None for those of
    any other.
    """
    if not head.startswith(PLAIN_PNG_HEAD) or len(head) < HEAD_BYTES:
        return None
    width, height, kind, checksum = PLAIN_PNG.unpack(head)
    if kind != PLAIN_PNG_KIND or checksum != zlib.crc32(head[12:-4]):
        return None
    return (height, width) if 1 <= width <= MAX_SIDE and 1 <= height <= MAX_SIDE else None


def _count_chunks(data: bytes) -> int:
    """Return how many chunks a PNG has, MAX_CHUNKS + 1 where they are more, counting those that
    unpack to more than they take.
    """
    position, count = 8, 0
    while position + 8 <= len(data) and count <= MAX_CHUNKS:
        length, kind = CHUNK.unpack_from(data, position)
        count += PACKED_COST if kind in PACKED_CHUNKS else 1
        position += 12 + length
    return count


def _check(image: Image.Image) -> None:
    """Refuse what the header promises before anything is decompressed."""
    if not 1 <= image.width <= MAX_SIDE or not 1 <= image.height <= MAX_SIDE:
        raise UnreadableImageError(f"The image's sides must be of 1 to {MAX_SIDE} pixels.")
    # A camera's JPEG may carry further pictures behind the first one (MPO): previews, not an
    # animation.
    if getattr(image, "n_frames", 1) > 1 and image.format != "MPO":
        raise UnreadableImageError("The image is animated; send one frame.")


def _grey(image: Image.Image) -> Pixels:
    if image.mode.startswith("I"):  # 16 bits, which Pillow's own conversion would clip at 255
        return (np.asarray(image).astype(np.uint32) >> 8).clip(0, 255).astype(np.uint8)
    if image.has_transparency_data:
        if image.mode not in ("LA", "RGBA"):
            image = image.convert("RGBA")
        on_white = Image.new("L", image.size, 255)
        on_white.paste(image.convert("L"), mask=image.getchannel("A"))
        return np.asarray(on_white)
    if image.mode not in ("1", "L", "RGB", "P"):
        image = image.convert("RGB")  # CMYK and its like have no direct way to grey
    return np.asarray(image.convert("L"))


def frame(grey: Pixels) -> Pixels:
    """Return grey pixels of any size as canonical pixels.

    Ink high, cropped, fitted into 20x20, centred by mass.

    `grey` is uint8 of shape (height, width). An image without ink gives zeros.
    """
    if grey.shape == (SIDE, SIDE) and _has_black_border(grey):
        return np.ascontiguousarray(grey)
    if max(grey.shape) > LARGE_SIDE:
        grey = np.asarray(Image.fromarray(grey).reduce(-(-max(grey.shape) // LARGE_SIDE)))
    border = np.concatenate([grey[0], grey[-1], grey[:, 0], grey[:, -1]])
    background = int(np.median(border))
    ink_high = grey if background < 128 else 255 - grey  # noqa: PLR2004  # the middle of the range
    if grey.shape == (SIDE, SIDE):
        return np.ascontiguousarray(ink_high)
    return _fit(_stretch(ink_high, min(background, 255 - background)))


def _has_black_border(grey: Pixels) -> bool:
    """Tell whether most of the border of 28x28 pixels is 0.

    What most callers send, recognised without numpy's overhead.
    """
    pixels = grey.tobytes()
    if pixels.startswith(BLACK_ROW) and pixels.endswith(BLACK_ROW) and pixels[SIDE] == 0:
        return True
    border = (
        pixels[:SIDE]
        + pixels[-SIDE:]
        + pixels[SIDE:-SIDE:SIDE]
        + pixels[2 * SIDE - 1 : -SIDE : SIDE]
    )
    return border.count(0) > 2 * SIDE


def _stretch(ink_high: Pixels, background: int) -> Pixels:
    """Move the background to 0 and the strongest ink to 255."""
    strongest = int(ink_high.max()) - background
    if strongest < INK_THRESHOLD / 4:  # paper and noise only
        return np.zeros_like(ink_high)
    shades = (np.arange(256) - background) * (255 / strongest)
    stretched: Pixels = shades.clip(0, 255).round().astype(np.uint8)[ink_high]
    return stretched


def _fit(ink: Pixels) -> Pixels:
    mask = ink >= INK_THRESHOLD
    if not mask.any():
        return np.zeros((SIDE, SIDE), np.uint8)
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    # in floats: as bytes, a few dots in a large picture would be averaged to nothing
    cropped = Image.fromarray(
        ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].astype(np.float32)
    )
    scale = BOX / max(cropped.size)
    size = (max(1, round(cropped.width * scale)), max(1, round(cropped.height * scale)))
    digit = np.array(cropped.resize(size, Image.Resampling.BILINEAR, reducing_gap=3.0))
    digit *= 255 / digit.max()  # a thin stroke fades when it shrinks
    height, width = digit.shape
    mass = digit.sum()
    top = round(CENTRE - float((digit.sum(axis=1) @ np.arange(height)) / mass))
    left = round(CENTRE - float((digit.sum(axis=0) @ np.arange(width)) / mass))
    top, left = min(max(top, 0), SIDE - height), min(max(left, 0), SIDE - width)
    framed = np.zeros((SIDE, SIDE), np.uint8)
    framed[top : top + height, left : left + width] = digit.round().astype(np.uint8)
    return framed
