"""Digit normalization: gray pixels of any size to the canonical 28x28 pixels.

The canonical form is MNIST's: uint8, 28x28, ink high (255) on 0. The digit fits a 20x20 box, with
its center of mass in the middle of the image (Y. LeCun, C. Cortes, C. Burges, "The MNIST database
of handwritten digits").
"""

import hashlib
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from inference.preprocessing.decoding import decode
from inference.preprocessing.image_warnings import NO_DIGIT

SIDE = 28  # pixels
BLACK_ROW = bytes(SIDE)
BOX = 20  # pixels; the digit's longer side
# Index of the pixel at the center of mass of MNIST's digits (measured: 13.99 and 14.01 over its
# test digits).
CENTER = 14.0
# A larger image is averaged down to this side first: the digit needs 20 pixels, and this bounds
# memory.
LARGE_SIDE = 1024
# A quarter of the range. JPEG's ringing and a scanner's paper stay below it.
INK_THRESHOLD = 64

Pixels = NDArray[np.uint8]
EMPTY_DIGEST = hashlib.sha256(bytes(SIDE * SIDE)).hexdigest()


class PreprocessedImage(NamedTuple):
    """An image as models take it, and its origin.

    `pixels` are canonical, uint8 of shape (28, 28), and `digest` is their sha256 (hex). `width` and
    `height` are the original's, in pixels. `original` holds its bytes, or None for an array.
    `warnings` are texts of `image_warnings`, empty for an ordinary digit.
    """

    pixels: Pixels
    digest: str
    width: int
    height: int
    original: bytes | None
    warnings: tuple[str, ...] = ()

    @classmethod
    def from_bytes(cls, data: bytes) -> "PreprocessedImage":
        """Decode an image file. Raises UnsupportedImageError and UnreadableImageError."""
        return cls.from_array(decode(data), data)

    @classmethod
    def from_array(cls, gray: Pixels, original: bytes | None = None) -> "PreprocessedImage":
        """Normalize gray pixels, uint8 of shape (height, width)."""
        pixels = normalize(gray)
        digest = pixel_digest(pixels)
        height, width = gray.shape
        warnings = (NO_DIGIT,) if digest == EMPTY_DIGEST else ()
        return cls(pixels, digest, width, height, original, warnings)


def read_digit(data: bytes) -> Pixels:
    """Return the canonical pixels of an encoded image, uint8 of shape (28, 28).

    Raises UnsupportedImageError and UnreadableImageError.
    """
    return normalize(decode(data))


def pixel_digest(pixels: Pixels) -> str:
    """Return the sha256 (hex) of canonical pixels, which must be contiguous.

    It identifies an image.
    """
    return hashlib.sha256(pixels.data).hexdigest()


def normalize(gray: Pixels) -> Pixels:
    """Return gray pixels, uint8 of shape (height, width), as canonical pixels.

    An image of 28x28 is only inverted, if its border is light: MNIST's own digits pass unchanged.
    Any other is cropped to its ink, fitted into 20x20 and centered by mass. An image without ink
    becomes zeros.
    """
    if gray.shape == (SIDE, SIDE) and _has_black_border(gray):
        return np.ascontiguousarray(gray)
    if max(gray.shape) > LARGE_SIDE:
        gray = np.asarray(Image.fromarray(gray).reduce(-(-max(gray.shape) // LARGE_SIDE)))
    border = np.concatenate([gray[0], gray[-1], gray[:, 0], gray[:, -1]])
    background = int(np.median(border))
    ink_high = gray if background < 128 else 255 - gray  # noqa: PLR2004  # middle of the range
    if gray.shape == (SIDE, SIDE):
        return np.ascontiguousarray(ink_high)
    return _fit(_stretch(ink_high, min(background, 255 - background)))


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


def _stretch(ink_high: Pixels, background: int) -> Pixels:
    """Scale shades so that the background becomes 0 and the strongest ink 255."""
    strongest = int(ink_high.max()) - background
    if strongest < INK_THRESHOLD / 4:  # only paper and noise
        return np.zeros_like(ink_high)
    shades = (np.arange(256) - background) * (255 / strongest)
    stretched: Pixels = shades.clip(0, 255).round().astype(np.uint8)[ink_high]
    return stretched


def _fit(ink: Pixels) -> Pixels:
    mask = ink >= INK_THRESHOLD
    if not mask.any():
        return np.zeros((SIDE, SIDE), np.uint8)
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    # As floats: with bytes, a few dots in a large picture would be averaged to nothing.
    cropped = Image.fromarray(
        ink[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].astype(np.float32)
    )
    scale = BOX / max(cropped.size)
    size = (max(1, round(cropped.width * scale)), max(1, round(cropped.height * scale)))
    digit = np.array(cropped.resize(size, Image.Resampling.BILINEAR, reducing_gap=3.0))
    digit *= 255 / digit.max()  # a thin stroke fades when it shrinks
    height, width = digit.shape
    mass = digit.sum()
    top = round(CENTER - float((digit.sum(axis=1) @ np.arange(height)) / mass))
    left = round(CENTER - float((digit.sum(axis=0) @ np.arange(width)) / mass))
    top, left = min(max(top, 0), SIDE - height), min(max(left, 0), SIDE - width)
    canonical = np.zeros((SIDE, SIDE), np.uint8)
    canonical[top : top + height, left : left + width] = digit.round().astype(np.uint8)
    return canonical
