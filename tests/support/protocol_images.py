"""Images of the protocols' tests, and the forms in which clients send them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from tests.support.images import drawn

TOLERANCE = 1e-5
RNG = np.random.default_rng(25)
NOISE = RNG.integers(0, 256, (28, 28), np.uint8)
WHITE, BLACK = np.full((28, 28), 255, np.uint8), np.zeros((28, 28), np.uint8)
# Each of the 256 gray levels, three times and more.
LEVELS = np.resize(np.arange(256, dtype=np.uint8), (28, 28))
# Digits on black, a digit on white, and images that preprocessing would change.
IMAGES = np.stack(
    [
        drawn("7"),
        drawn("3", at=(0.3, 0.6)),
        drawn("8", ink=0, paper=255),
        drawn("1", ink=90, paper=40),
        NOISE,
        WHITE,
        BLACK,
        LEVELS,
    ]
)
SIDES = {
    "[n,28,28]": (28, 28),
    "[n,784]": (784,),
    "[n,28,28,1]": (28, 28, 1),
    "[n,1,28,28]": (1, 28, 28),
}
DTYPES = {
    "UINT8": "u1",
    "UINT16": "<u2",
    "UINT32": "<u4",
    "UINT64": "<u8",
    "INT8": "i1",
    "INT16": "<i2",
    "INT32": "<i4",
    "INT64": "<i8",
    "FP16": "<f2",
    "FP32": "<f4",
    "FP64": "<f8",
}


def of_type(datatype: str) -> NDArray[np.uint8]:
    """Return images of values that a type can hold."""
    return IMAGES // 2 if datatype == "INT8" else IMAGES


def shapes(images: NDArray[Any]) -> list[NDArray[Any]]:
    """Return images in every shape that a tensor may have."""
    return [images.reshape(len(images), *side) for side in SIDES.values()]


def assert_close(answer: Any, expected: NDArray[np.float32]) -> None:
    """Check probabilities of shape (n, classes) against those of LiteRT."""
    np.testing.assert_allclose(np.array(answer, np.float64), expected, rtol=0, atol=TOLERANCE)
