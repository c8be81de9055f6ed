"""Occlusion maps: how much of a model's confidence each patch of an image carries."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inference.errors import RequestTooLargeError
from inference.prediction.results import NotFiniteError
from inference.preprocessing.digits import SIDE, Pixels
from inference.runtime.network import Batch, Network

PATCH = 4  # pixels: about a stroke's width, so that a patch hides a part of a digit, not all of it
STRIDE = 2
CELLS = (SIDE - PATCH) // STRIDE + 1  # 13 rows and columns
BACKGROUND = 0  # of canonical pixels
# Each model reads up to 170 images, so a call reads 17,000: less than a fifth of MAX_PREDICTIONS.
MAX_MODELS = 100


@dataclass(frozen=True)
class OcclusionMap:
    """The most probable class of an image, and what it loses with each patch covered.

    `drops` is float32 of shape (13, 13), -1 to 1: the probability of the class minus that with
    the patch covered. The patch of row i and column j begins at pixel row 2i and column 2j.
    """

    class_index: int
    confidence: np.float32
    drops: NDArray[np.float32]


def check_model_count(count: int) -> None:
    """Raise RequestTooLargeError for more models than one call explains."""
    if count > MAX_MODELS:
        raise RequestTooLargeError(
            f"One call explains at most {MAX_MODELS} models. Name fewer experiments."
        )


def occlude(pixels: Pixels) -> Pixels:
    """Return an image once for each patch, covered with background: uint8 of shape (169, 28, 28).

    `pixels` are canonical, uint8 of shape (28, 28). Patches are in rows, from the top left.
    """
    covered = np.repeat(pixels[None], CELLS * CELLS, axis=0)
    for index in range(CELLS * CELLS):
        row, column = (STRIDE * cell for cell in divmod(index, CELLS))
        covered[index, row : row + PATCH, column : column + PATCH] = BACKGROUND
    return covered


def explain(network: Network, pixels: Pixels) -> OcclusionMap:
    """Return the occlusion map of canonical pixels, uint8 of shape (28, 28).

    A patch without ink is not run: covering it changes nothing. Raises NotFiniteError.
    """
    covered = occlude(pixels)
    has_ink = (covered != pixels).any(axis=(1, 2))
    table = network.run(Batch(np.concatenate([pixels[None], covered[has_ink]])))
    if not np.isfinite(table).all():
        raise NotFiniteError
    index = int(table[0].argmax())
    drops = np.zeros(CELLS * CELLS, np.float32)
    drops[has_ink] = table[0, index] - table[1:, index]
    return OcclusionMap(index, table[0, index], drops.reshape(CELLS, CELLS))
