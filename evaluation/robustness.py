"""Robustness: accuracy of a model on corrupted images, by corruption and severity."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from evaluation.corruptions import CORRUPTIONS, Pixels, corrupt

IMAGES = 300
SEVERITIES = (1, 2, 3, 4)
PASSES = IMAGES * (1 + len(CORRUPTIONS) * len(SEVERITIES))  # images that a model reads
SEED = 300  # of the choice of images

Classes = npt.NDArray[np.int64]
Predict = Callable[[Pixels], Classes]


@dataclass(frozen=True)
class CorruptedScore:
    """Result of a model on images with one corruption.

    `amount` is in the unit of the corruption.
    """

    corruption: str
    severity: int
    amount: float
    images: int
    correct: int


def choose_images(count: int) -> npt.NDArray[np.int64]:
    """Return the indices of up to 300 of `count` test images, in order; equal for equal counts.

    They are drawn, because the first half of MNIST's test set is easier than the second one.
    """
    order = np.random.default_rng(SEED).permutation(count)
    return np.sort(order[:IMAGES])


def score(predict: Predict, images: Pixels, classes: Classes) -> list[CorruptedScore]:
    """Return a model's results by corruption, then severity.

    Args:
        predict: returns the class index of each image.
        images: uint8 of shape (n, 28, 28), ink high, at least one.
        classes: true class index of each image.

    """
    return [
        CorruptedScore(
            corruption.name,
            severity,
            float(corruption.amounts[severity - 1]),
            len(images),
            int((predict(corrupt(images, corruption, severity)) == classes).sum()),
        )
        for corruption in CORRUPTIONS
        for severity in SEVERITIES
    ]
