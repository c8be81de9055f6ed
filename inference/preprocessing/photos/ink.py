"""Ink map: the share of light that ink takes from the paper, with shadows evened out."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

Gray = NDArray[np.uint8]

# The window must be wider than a marker's stroke. Shares of the shorter and the longer side.
WINDOW_SHARE, MIN_WINDOW_SHARE = 0.24, 0.16
# Side of the copy on which the surroundings' median decides between dark and light ink, in pixels,
# and its window.
POLARITY_SIDE, POLARITY_WINDOW = 24, 13
MIN_LIGHT = 24  # darker paper, of 255, holds only the camera's noise


class InkMap(NamedTuple):
    """Ink of a picture.

    `strength` is 0 on paper to 255 for ink that takes all light, uint8 of shape (height, width).
    `noise` is the strength that the grain of the paper stays below.
    """

    strength: Gray
    noise: float


def has_light_ink(gray: Gray) -> bool:
    """Return whether the ink is lighter than the paper, as chalk is on a blackboard.

    Paper is the median of wide surroundings. Ink differs from it more than anything else does.
    """
    small = Image.fromarray(gray)
    small.thumbnail((POLARITY_SIDE, POLARITY_SIDE), Image.Resampling.BOX, reducing_gap=2.0)
    fine = Image.fromarray(gray)
    fine.thumbnail((2 * POLARITY_SIDE, 2 * POLARITY_SIDE), Image.Resampling.BOX, reducing_gap=2.0)
    median = small.filter(ImageFilter.MedianFilter(POLARITY_WINDOW)).resize(
        fine.size, Image.Resampling.BILINEAR
    )
    difference = np.asarray(fine).astype(np.int32) - np.asarray(median)
    power = np.abs(difference) ** 3
    return bool(power[difference > 0].sum() > power[difference < 0].sum())


def map_ink(gray: Gray, *, is_light: bool) -> InkMap:
    """Return the ink of a picture. `is_light` is the ink's polarity."""
    if is_light:
        gray = 255 - gray
    image = Image.fromarray(gray)
    smooth = np.asarray(image.filter(ImageFilter.GaussianBlur(0.8)))
    shorter, longer = sorted(gray.shape)
    window = max(3, round(max(shorter * WINDOW_SHARE, longer * MIN_WINDOW_SHARE)) | 1)
    paper = np.asarray(
        Image.fromarray(np.ascontiguousarray(close(smooth, window))).filter(
            ImageFilter.BoxBlur(window / 8)
        )
    ).astype(np.int32)
    missing = np.maximum(paper - smooth, 0)
    # White ink on black is as strong as black on white: both take all of the light.
    light = np.maximum(paper, MIN_LIGHT) if not is_light else np.full_like(paper, 255)
    strength = np.minimum(missing * 255 // light, 255).astype(np.uint8)
    level = int(np.median(strength))
    spread = 1.5 * float(np.median(np.abs(strength.astype(np.int32) - level)))
    strength = np.maximum(strength, level) - np.uint8(level)
    return InkMap(strength, 4 * spread + 4)


def shrink(gray: Gray, side: int) -> Gray:
    """Return a picture whose longer side is at most `side` pixels."""
    if max(gray.shape) <= side:
        return np.ascontiguousarray(gray)
    image = Image.fromarray(np.ascontiguousarray(gray))
    image.thumbnail((side, side), Image.Resampling.BILINEAR, reducing_gap=2.0)
    return np.asarray(image)


def spread(gray: Gray, window: int) -> Gray:
    """Return the highest shade in a square window, of an odd side in pixels."""
    return slide(slide(gray, window, 0, np.maximum, 0), window, 1, np.maximum, 0)


def close(gray: Gray, window: int) -> Gray:
    """Fill everything dark that is narrower than a window: morphological closing by a square.

    Shadows go on beyond the picture's border.
    """
    half = window // 2
    wide = np.pad(gray, half, mode="edge")
    for axis in (0, 1):
        wide = slide(wide, window, axis, np.maximum, 0)
    for axis in (0, 1):
        wide = slide(wide, window, axis, np.minimum, 255)
    return wide[half:-half, half:-half]


def slide(gray: Gray, window: int, axis: int, extreme: np.ufunc, outside: int) -> Gray:
    """Return the extreme of a centered window."""
    pad = [(0, 0), (0, 0)]
    pad[axis] = (window // 2, window // 2)
    values = np.moveaxis(np.pad(gray, pad, constant_values=outside), axis, 0)
    return np.moveaxis(over_windows(values, window, extreme), 0, axis)


def over_windows(rows: NDArray[Any], window: int, combine: np.ufunc) -> NDArray[Any]:
    """Combine each `window` rows that follow one another, in log2(window) passes.

    There are `window` - 1 fewer results than rows.
    """
    reach = 1
    while reach < window:
        step = min(reach, window - reach)
        rows = combine(rows[:-step], rows[step:])
        reach += step
    return rows
