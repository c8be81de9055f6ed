"""Image features: fifteen numbers about the pixels of a 28x28 image, computed in blocks.

All sums are sums of integers below 2^24 in float32, or 2^53 in float64. They are exact in any
order, so an image has the same features in every block, to the last bit.
"""

import numpy as np
from numpy.typing import NDArray

from monitoring.detector.observations import SIDE

# The decimals that separate two images, and those that a reference file holds. Both are rounded
# alike, so equal values stay equal.
DECIMALS = {
    "ink_share": 4,  # share of pixels >= 128
    "mean": 2,  # pixel value
    "centroid_x": 3,  # pixels; 13.5 without ink
    "centroid_y": 3,
    "border": 2,  # mean of the outermost pixels
    "peak": 0,  # largest pixel value
    "lit": 4,  # share of pixels > 0
    "grey": 4,  # share of the lit pixels from 32 to 223
    "edge": 3,  # absolute differences of neighbors over the sum of pixels
    "width": 0,  # pixels, from the first to the last column with a pixel >= 64
    "height": 0,
    "slant": 3,  # covariance of x and y over the variance of y
    "spread": 3,  # pixels, the root of the variance of x and y together
    "row_gap": 4,  # deepest dent of a row between its two neighbors, over the largest row
    "column_gap": 4,
}
PIXEL_FEATURES = tuple(DECIMALS)
# Images. Larger blocks leave the CPU's caches, and BLAS would start threads for them, which wait
# for each other on a busy machine.
BLOCK = 96
INK, EXTENT_INK, GREY_FROM, GREY_TO = 128, 64, 32, 224
MIN_VARIANCE = 1e-3  # pixels squared; a flat line has no slant
CENTER = (SIDE - 1) / 2
POSITIONS = np.arange(SIDE, dtype=np.float32)
POWERS = np.stack([np.ones_like(POSITIONS), POSITIONS, POSITIONS**2], axis=1)


def pixel_features(pixels: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return the features of N images, N x 15, in the order of PIXEL_FEATURES and not rounded."""
    out = np.empty((len(pixels), len(PIXEL_FEATURES)))
    for start in range(0, len(pixels), BLOCK):
        _fill(np.ascontiguousarray(pixels[start : start + BLOCK]), out[start : start + BLOCK])
    return out


def _fill(images: NDArray[np.uint8], out: NDArray[np.float64]) -> None:
    count = len(images)
    values = images.astype(np.float32)
    # Of each row: the sums of its pixels times 1, x and x^2.
    moments = (values.reshape(-1, SIDE) @ POWERS).reshape(count, SIDE, 3).astype(np.float64)
    rows, columns = moments[:, :, 0], values.sum(axis=1).astype(np.float64)
    powers = POWERS.astype(np.float64)
    by_y = rows @ powers
    mass, safe = by_y[:, 0], np.maximum(by_y[:, 0], 1)
    is_blank = mass == 0
    x, y = moments[:, :, 1].sum(axis=1) / safe, by_y[:, 1] / safe
    variance_x = moments[:, :, 2].sum(axis=1) / safe - x * x
    variance_y = by_y[:, 2] / safe - y * y
    covariance = moments[:, :, 1] @ powers[:, 1] / safe - x * y
    x[is_blank] = y[is_blank] = CENTER
    corners = values[:, 0, 0] + values[:, 0, -1] + values[:, -1, 0] + values[:, -1, -1]
    border = rows[:, 0] + rows[:, -1] + columns[:, 0] + columns[:, -1] - corners
    flat = images.reshape(count, -1)
    lit = np.count_nonzero(flat, axis=1)
    grey = np.count_nonzero((flat - np.uint8(GREY_FROM)) < GREY_TO - GREY_FROM, axis=1)
    out[:, 0] = np.count_nonzero(flat >= INK, axis=1) / SIDE**2
    out[:, 1] = mass / SIDE**2
    out[:, 2], out[:, 3] = x, y
    out[:, 4] = border / (4 * (SIDE - 1))
    out[:, 5] = flat.max(axis=1)
    out[:, 6] = lit / SIDE**2
    out[:, 7] = grey / np.maximum(lit, 1)
    out[:, 8] = _edges(images) / safe
    out[:, 9], out[:, 10] = _extent(images.max(axis=1)), _extent(images.max(axis=2))
    out[:, 11] = covariance / np.maximum(variance_y, MIN_VARIANCE)
    out[:, 12] = np.sqrt(np.maximum(variance_x + variance_y, 0))
    out[:, 13], out[:, 14] = _gap(rows), _gap(columns)


def _edges(images: NDArray[np.uint8]) -> NDArray[np.float64]:
    """Return the sum of the absolute differences of neighboring pixels."""
    total = np.zeros(len(images))
    for one, other in (
        (images[:, 1:], images[:, :-1]),
        (images[:, :, 1:], images[:, :, :-1]),
    ):
        difference = np.maximum(one, other) - np.minimum(one, other)
        total += difference.reshape(len(images), -1).sum(axis=1, dtype=np.uint32)
    return total


def _extent(largest: NDArray[np.uint8]) -> NDArray[np.int64]:
    """Return the number of lines from the first to the last with ink, of N x 28 maxima."""
    has_ink = largest >= EXTENT_INK
    extent = SIDE - has_ink.argmax(axis=1) - has_ink[:, ::-1].argmax(axis=1)
    return np.where(has_ink.any(axis=1), extent, 0)


def _gap(sums: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the deepest dent between two neighboring lines, over the largest line."""
    dents = np.minimum(sums[:, :-2], sums[:, 2:]) - sums[:, 1:-1]
    gap: NDArray[np.float64] = np.maximum(dents.max(axis=1), 0) / np.maximum(sums.max(axis=1), 1)
    return gap
