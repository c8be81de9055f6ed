"""Occlusion map as a picture: the digit in gray, and over it the patches that matter in color."""

import io
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

# By "is the theme dark": paper and ink of the digit, then patches that carry the answer and patches
# that speak against it. Orange and blue are told apart with every kind of color vision.
PAPER = {False: (255, 255, 255), True: (16, 25, 27)}
INK = {False: (150, 165, 168), True: (110, 126, 130)}
CARRIES = {False: (201, 79, 19), True: (246, 149, 95)}
OPPOSES = {False: (76, 99, 182), True: (147, 167, 242)}
SCALE = 8  # picture pixels for a pixel of the digit
# A weaker drop never gets the full color: where no patch matters, no picture looks as if one did.
MIN_FULL_DROP = 0.1


def full_drop(maps: Sequence[NDArray[np.float32]]) -> float:
    """Return the drop that gets the full color: the largest of all maps, at least 0.1."""
    return max([MIN_FULL_DROP, *(float(np.abs(drops).max()) for drops in maps)])


def spread(drops: NDArray[np.float32], side: int, patch: int, stride: int) -> NDArray[np.float32]:
    """Return the strongest drop of the patches over each pixel, float32 of shape (side, side).

    `drops` has shape (cells, cells); a patch is `patch` pixels wide, and the next one begins
    `stride` pixels further.
    """
    strongest = np.zeros((side, side), np.float32)
    order = np.abs(drops).argsort(axis=None)  # the strongest patch is painted last
    for row, column in zip(*np.unravel_index(order, drops.shape), strict=True):
        top, left = stride * row, stride * column
        strongest[top : top + patch, left : left + patch] = drops[row, column]
    return strongest


def occlusion_picture(
    pixels: NDArray[np.uint8],
    drops: NDArray[np.float32],
    *,
    patch: int,
    stride: int,
    full: float,
    dark: bool,
) -> bytes:
    """Return a PNG of a digit and its occlusion map.

    Args:
        pixels: the digit, uint8 of shape (28, 28), ink high.
        drops: as in `spread`.
        patch: side of a patch in pixels.
        stride: distance of two patches in pixels.
        full: drop that gets the full color, see `full_drop`.
        dark: whether the theme is dark.

    """
    strength = np.clip(spread(drops, len(pixels), patch, stride) / full, -1, 1)[..., None]
    digit = _mix(PAPER[dark], INK[dark], (pixels[..., None] / 255).astype(np.float32))
    color = np.where(strength > 0, np.array(CARRIES[dark]), np.array(OPPOSES[dark]))
    picture = digit + (color - digit) * np.abs(strength)
    image = Image.fromarray(picture.round().astype(np.uint8))
    out = io.BytesIO()
    image.resize((SCALE * image.width, SCALE * image.height), Image.Resampling.NEAREST).save(
        out, "PNG"
    )
    return out.getvalue()


def _mix(
    low: tuple[int, int, int], high: tuple[int, int, int], share: NDArray[np.float32]
) -> NDArray[np.float32]:
    start, end = np.array(low, np.float32), np.array(high, np.float32)
    return start + (end - start) * share
