"""Drawings: digits on a background of one shade, from a canvas or a paint program.

A drawing keeps every pixel of its ink. A photo has grain and shadows, and is read by `photos`.
"""

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from inference.preprocessing.canonical import INK_THRESHOLD, Pixels
from inference.preprocessing.photos.components import Mask, find_components
from inference.preprocessing.photos.grouping import find_digits
from inference.preprocessing.photos.ink import shrink, slide
from inference.preprocessing.photos.rules import find_ruling
from inference.preprocessing.photos.sheet import find_sheet

# A flat background has exactly one shade. JPEG's ringing, within 20 shades of it, is near the ink
# only. Shares of pixels (measured: in drawings, down to JPEG quality 50, 0.79 and 0.87 or more; in
# photos at most 0.50 and 0.89, and 0.98 and 0.86 at JPEG quality 22).
NEAR, RINGING = 3, 20
MIN_EXACT_SHARE, MIN_FLAT_SHARE = 0.75, 0.87
# Ink of a drawing leaves some background, and a sheet on a flat table covers more than ink.
MIN_BACKGROUND_SHARE, MIN_SHEET_SHARE = 0.2, 0.1
# A digit fills its picture if it reaches over one side, and over some of the other. It is nearly
# all of the ink.
FILLED_SHARE, MIN_FILLED_SHARE = 0.9, 0.4
MAX_STROKE_SHARE = 0.32  # of the longer side; a shadow or a table is wider than a stroke
COUNT_SIDE = 160  # pixels of the copy on which digits are counted
MIN_DIGIT_SHARE = 0.04  # of the picture's longer side
FEW_PIXELS = 4096  # numpy counts as many sooner than Pillow does, and any more later
SQUARES = np.arange(256) ** 2

Counts = NDArray[np.int64]  # pixels of each shade, of shape (256,)


def border_of(gray: Pixels) -> Pixels:
    """Return the outermost pixels."""
    return np.concatenate([gray[0], gray[-1], gray[:, 0], gray[:, -1]])


def background_of(gray: Pixels) -> tuple[int, bool]:
    """Return the median shade of the border, and whether all of the border has it."""
    border = border_of(gray)
    if (border == border[0]).all():
        return int(border[0]), True
    return int(np.median(border)), False


def count_shades(gray: Pixels) -> Counts:
    """Return the number of pixels of each shade, int64 of shape (256,)."""
    if gray.size <= FEW_PIXELS:
        return np.bincount(gray.ravel(), minlength=256)
    return np.array(Image.fromarray(gray).histogram(), np.int64)


def ink_over(gray: Pixels, counts: Counts, background: int) -> tuple[Pixels, int]:
    """Return a picture with high ink and its background's shade, whichever of the two is darker.

    Ink is what differs most from the background, in sum. `counts` are those of the shades.
    """
    light = int(counts[background:] @ SQUARES[: 256 - background])
    dark = int(counts[background::-1] @ SQUARES[: background + 1])
    return (gray, background) if light > dark else (255 - gray, 255 - background)


def is_drawing(gray: Pixels, counts: Counts) -> bool:
    """Return whether a picture is drawn on a background of one shade, and no photo of a sheet.

    `counts` are those of its shades.
    """
    exact, flat, near, ringing = _background_counts(gray, counts)
    if exact < MIN_EXACT_SHARE * near:
        return False
    if flat < MIN_FLAT_SHARE * ringing or flat < MIN_BACKGROUND_SHARE * gray.size:
        return _is_filled(gray)
    if flat > (1 - MIN_SHEET_SHARE) * gray.size:
        return True
    return find_sheet(gray) is None


def _background_counts(gray: Pixels, counts: Counts) -> tuple[int, ...]:
    """Return the numbers of pixels of the background's shade, and within 1, NEAR and RINGING."""
    background = int(np.bincount(border_of(gray), minlength=256).argmax())
    return tuple(
        int(counts[max(0, background - reach) : background + reach + 1].sum())
        for reach in (0, 1, NEAR, RINGING)
    )


def _is_filled(gray: Pixels) -> bool:
    """Return whether a picture is cropped to its digit, so that no paper is left around it."""
    small = shrink(gray, COUNT_SIDE)
    ink_high, background = ink_over(small, count_shades(small), background_of(small)[0])
    mask = ink_high.astype(np.int32) > (int(ink_high.max()) + background) // 2
    height, width = mask.shape
    components = find_components(mask)
    longest = np.maximum(components.height / height, components.width / width)
    shortest = np.minimum(components.height / height, components.width / width)
    is_spanning = (longest >= FILLED_SHARE) & (shortest >= MIN_FILLED_SHARE)
    is_spanning &= components.area >= FILLED_SHARE * mask.sum()
    if not is_spanning.any() or _has_rules(mask):
        return False
    window = round(MAX_STROKE_SHARE * max(mask.shape)) | 1
    return not (
        slide(slide(mask.view(np.uint8), window, 0, np.minimum, 0), window, 1, np.minimum, 0)
    ).any()


def count_digits(ink: Pixels) -> tuple[int, Pixels] | None:
    """Return the number of digits in a drawing, and the ink of the one to read.

    `ink` is above a background of 0. A single digit keeps everything that is drawn. Return None
    for a drawing on printed lines.
    """
    small = shrink(ink, COUNT_SIDE)
    mask = small >= INK_THRESHOLD
    if _has_rules(mask):
        return None
    components = find_components(mask)
    if components.area.size == 1:
        return 1, ink
    digits = find_digits(components, MIN_DIGIT_SHARE * max(small.shape))
    if digits is None or digits.total == 1:
        return 1, ink
    scale = max(ink.shape) / max(small.shape)
    top, bottom, left, right = (round(edge * scale) for edge in digits.box)
    return digits.total, ink[top:bottom, left:right]


def _has_rules(mask: Mask) -> bool:
    return any(find_ruling(mask.view(np.uint8), 0, is_several=True))
