"""Digit normalization: gray pixels of any size to the canonical 28x28 pixels.

Small images and drawings keep their ink. A photo is read by `photos`.
"""

import hashlib
import re
from typing import NamedTuple

import numpy as np
from PIL import Image

from inference.preprocessing.canonical import SIDE, Pixels, fit, stretch
from inference.preprocessing.decoding import decode
from inference.preprocessing.drawings import (
    Counts,
    background_of,
    count_digits,
    count_shades,
    ink_over,
    is_drawing,
)
from inference.preprocessing.image_warnings import NO_DIGIT, several_digits
from inference.preprocessing.photos.reader import read_photo
from inference.preprocessing.plain_png import SMALL_SIDE

__all__ = [
    "SIDE",
    "Pixels",
    "PreprocessedImage",
    "TensorImage",
    "normalize",
    "pixel_digest",
    "read_digit",
]

BLACK_ROW = bytes(SIDE)
# A larger drawing is averaged down to this side first: the digit needs 20 pixels, and this bounds
# memory.
LARGE_SIDE = 1024
PHOTO_SIDE = SMALL_SIDE  # pixels; a smaller image holds no paper around its digit
# Ink differs from its paper by this, a 16th of the range. On a background of exactly one shade,
# such as the 16 shades that 12 bits leave of 16, a few are enough.
MIN_CONTRAST, MIN_FLAT_CONTRAST = 16, 4
INK = re.compile(rb"[\x10-\xff]")  # a pixel of MIN_CONTRAST
# A 28x28 image keeps its pixels on a background as dark as this. Models read it as well as black.
DARK = 32
ARRAY_MEDIA_TYPE = "application/json"  # of an image that was sent as numbers


class TensorImage(NamedTuple):
    """Pixels to take as they stand, contiguous uint8 of shape (28, 28), and their media type."""

    pixels: Pixels
    media_type: str


class PreprocessedImage(NamedTuple):
    """An image as models take it, and its origin.

    `pixels` are canonical, uint8 of shape (28, 28), and `digest` is their sha256 (hex). `width` and
    `height` are the original's, in pixels. `original` holds its bytes, or None for an array, which
    was sent as `array_type`. `warnings` are texts of `image_warnings`, empty for an ordinary digit.
    """

    pixels: Pixels
    digest: str
    width: int
    height: int
    original: bytes | None
    warnings: tuple[str, ...] = ()
    array_type: str = ARRAY_MEDIA_TYPE

    @classmethod
    def from_bytes(cls, data: bytes) -> "PreprocessedImage":
        """Decode an image file. Raises UnsupportedImageError and UnreadableImageError."""
        image = decode(data)
        pixels, count = _read(image.gray)
        return cls(pixels, pixel_digest(pixels), image.width, image.height, data, _warnings(count))

    @classmethod
    def from_array(cls, gray: Pixels) -> "PreprocessedImage":
        """Normalize gray pixels, uint8 of shape (height, width)."""
        pixels, count = _read(gray)
        height, width = gray.shape
        return cls(pixels, pixel_digest(pixels), width, height, None, _warnings(count))

    @classmethod
    def from_tensor(cls, tensor: TensorImage) -> "PreprocessedImage":
        """Take pixels as they stand."""
        pixels = tensor.pixels
        warnings = () if INK.search(pixels.data) else (NO_DIGIT,)
        return cls(pixels, pixel_digest(pixels), SIDE, SIDE, None, warnings, tensor.media_type)


def read_digit(data: bytes) -> Pixels:
    """Return the canonical pixels of an encoded image, uint8 of shape (28, 28).

    Raises UnsupportedImageError and UnreadableImageError.
    """
    return normalize(decode(data).gray)


def pixel_digest(pixels: Pixels) -> str:
    """Return the sha256 (hex) of canonical pixels, which must be contiguous.

    It identifies an image.
    """
    return hashlib.sha256(pixels.data).hexdigest()


def normalize(gray: Pixels) -> Pixels:
    """Return gray pixels, uint8 of shape (height, width), as canonical pixels.

    MNIST's own digits pass unchanged, and a 28x28 image on white is only inverted. Any other is
    cropped to its digit, fitted into 20x20 and centered by mass. An image without ink becomes
    zeros.
    """
    return _read(gray)[0]


def _warnings(count: int) -> tuple[str, ...]:
    if count == 1:
        return ()
    return (several_digits(count),) if count else (NO_DIGIT,)


def _read(gray: Pixels) -> tuple[Pixels, int]:
    """Return canonical pixels, and the number of digits in the image."""
    if gray.shape == (SIDE, SIDE):
        pixels = _read_canonical_size(gray)
        return pixels, int(INK.search(pixels.data) is not None)
    counts = count_shades(gray)
    if max(gray.shape) > PHOTO_SIDE and not is_drawing(gray, counts):
        return _read_photo(gray)
    if max(gray.shape) > LARGE_SIDE:
        gray = np.asarray(Image.fromarray(gray).reduce(-(-max(gray.shape) // LARGE_SIDE)))
        counts = count_shades(gray)
    ink = _stretched(gray, counts)
    if not ink.any():
        return np.zeros((SIDE, SIDE), np.uint8), 0
    if max(gray.shape) <= PHOTO_SIDE:
        return fit(ink), 1
    counted = count_digits(ink)
    if counted is None:
        return _read_photo(gray)
    return fit(counted[1]), counted[0]


def _read_photo(gray: Pixels) -> tuple[Pixels, int]:
    digit = read_photo(gray)
    if digit is None:
        return np.zeros((SIDE, SIDE), np.uint8), 0
    return fit(digit.ink), digit.total


def _read_canonical_size(gray: Pixels) -> Pixels:
    """Return 28x28 pixels as they are, inverted, or stretched if their background is gray."""
    if _has_black_border(gray):
        return np.ascontiguousarray(gray)
    counts = count_shades(gray)
    ink_high, background = ink_over(gray, counts, background_of(gray)[0])
    if background <= DARK and ink_high.max() >= background + MIN_CONTRAST:
        return np.ascontiguousarray(ink_high)
    return _stretched(gray, counts)


def _stretched(gray: Pixels, counts: Counts) -> Pixels:
    """Return ink above a background of 0, up to 255. A picture without ink becomes zeros."""
    shade, is_flat = background_of(gray)
    ink_high, background = ink_over(gray, counts, shade)
    return stretch(ink_high, background, MIN_FLAT_CONTRAST if is_flat else MIN_CONTRAST)


def _has_black_border(gray: Pixels) -> bool:
    """Return whether most of the border of 28x28 pixels is 0.

    A shortcut for the usual image, without numpy's overhead.
    """
    pixels = gray.tobytes()
    if pixels.startswith(BLACK_ROW) and pixels.endswith(BLACK_ROW) and pixels[SIDE] == 0:
        return True
    border = (
        pixels[:SIDE]
        + pixels[-SIDE:]
        + pixels[SIDE:-SIDE:SIDE]
        + pixels[2 * SIDE - 1 : -SIDE : SIDE]
    )
    return border.count(0) > 2 * SIDE
