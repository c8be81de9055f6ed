"""Canonical pixels: fits ink into MNIST's form.

The canonical form is MNIST's: uint8, 28x28, ink high (255) on 0. The digit fits a 20x20 box, with
its center of mass in the middle of the image (Y. LeCun, C. Cortes, C. Burges, "The MNIST database
of handwritten digits").
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIDE = 28  # pixels
BOX = 20  # pixels; the digit's longer side
# Index of the pixel at the center of mass of MNIST's digits (measured: 13.99 and 14.01 over its
# test digits).
CENTER = 14.0
# A quarter of the range. JPEG's ringing and a scanner's paper stay below it.
INK_THRESHOLD = 64

Pixels = NDArray[np.uint8]


def fit(ink: Pixels) -> Pixels:
    """Return ink, uint8 of shape (height, width), cropped to it, fitted and centered by mass."""
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


def stretch(ink_high: Pixels, background: int, min_contrast: int) -> Pixels:
    """Scale shades so that the background becomes 0 and the strongest ink 255.

    Ink of a lower contrast than `min_contrast` shades is the paper's noise: it becomes 0.
    """
    strongest = int(ink_high.max()) - background
    if strongest < min_contrast:
        return np.zeros_like(ink_high)
    if strongest == 255 and background == 0:  # noqa: PLR2004  # nothing to scale
        return ink_high
    shades = (np.arange(256) - background) * (255 / strongest)
    return shades.clip(0, 255).round().astype(np.uint8).take(ink_high)
