"""Errors of a model on labeled images: confused labels, and correct images for comparison."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from evaluation.metrics import Counts, Predictions

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class ConfusedPair:
    """Number of images of one label that a model gives another label."""

    true: str
    predicted: str
    images: int


def confused_pairs(confusion: Counts, classes: Sequence[str]) -> list[ConfusedPair]:
    """Return the pairs of different labels with an image, the most frequent first.

    Args:
        confusion: C x C counts, see metrics.Report.
        classes: the C labels.

    """
    pairs = [
        ConfusedPair(classes[row], classes[column], int(confusion[row, column]))
        for row, column in np.argwhere(confusion)
        if row != column
    ]
    return sorted(pairs, key=lambda pair: -pair.images)


def find_errors(true_labels: Sequence[str], predictions: Predictions) -> list[int]:
    """Return the indices of misread images, the most confident first. Unanswered ones are none."""
    wrong = [
        index
        for index, (true, predicted) in enumerate(zip(true_labels, predictions.labels, strict=True))
        if predicted not in (None, true)
    ]
    return sorted(wrong, key=lambda index: -float(predictions.probabilities[index].max()))


@dataclass(frozen=True)
class References:
    """Correctly read images of a set, by label.

    Attributes:
        pixels: uint8 of shape (N, 28, 28), the whole set.
        indices: label -> indices of its correctly read images.

    """

    pixels: Pixels
    indices: dict[str, npt.NDArray[np.int64]]

    @classmethod
    def of(
        cls, pixels: Pixels, true_labels: Sequence[str], predictions: Predictions
    ) -> "References":
        """Return the references of N images with their labels and predictions."""
        by_label: dict[str, list[int]] = {}
        for index, (true, predicted) in enumerate(
            zip(true_labels, predictions.labels, strict=True)
        ):
            if true == predicted:
                by_label.setdefault(true, []).append(index)
        return cls(pixels, {label: np.array(own) for label, own in by_label.items()})

    def nearest(self, index: int, label: str) -> int | None:
        """Return the correctly read image of a label that is nearest to an image of the set.

        The distance is that of the pixels (Euclidean). None if no image of the label is read
        correctly.
        """
        candidates = self.indices.get(label)
        if candidates is None:
            return None
        differences = self.pixels[candidates].astype(np.int32) - self.pixels[index]
        return int(candidates[np.einsum("nij,nij->n", differences, differences).argmin()])
