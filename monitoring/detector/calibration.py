"""Calibration map: the highest probability of a prediction to the accuracy of such predictions.

Isotonic regression on the reference. Its mean over new images estimates their accuracy, as long as
they are like those of the reference.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Values = NDArray[np.float64]

DECIMALS = 6


@dataclass(frozen=True)
class Calibration:
    """Steps of the map: from `confidences` (ascending) on, the accuracy is `accuracies`.

    Below the first step the first accuracy holds.
    """

    confidences: Values
    accuracies: Values

    @classmethod
    def fit(cls, confidences: Values, correct: NDArray[np.bool_]) -> "Calibration":
        """Return the map of N confidences (0 to 1) and whether each prediction is correct."""
        values, inverse, counts = np.unique(confidences, return_inverse=True, return_counts=True)
        means = np.bincount(inverse, weights=correct.astype(np.float64)) / counts
        starts, accuracies = pool_adjacent_violators(means, counts.astype(np.float64))
        return cls(values[starts], np.round(accuracies, DECIMALS))

    def accuracy(self, confidences: Values) -> Values:
        """Return the accuracy, 0 to 1, of predictions with N confidences."""
        step = np.searchsorted(self.confidences, confidences, side="right") - 1
        return self.accuracies[np.maximum(step, 0)]

    def to_json(self) -> dict[str, Any]:
        """Return the JSON object."""
        return {
            "confidences": self.confidences.tolist(),
            "accuracies": self.accuracies.tolist(),
        }

    @classmethod
    def from_json(cls, document: Any) -> "Calibration":
        """Return the map in a JSON object. Raises ValueError, KeyError and TypeError."""
        confidences, accuracies = (
            np.array(document[key], np.float64) for key in ("confidences", "accuracies")
        )
        if confidences.shape != (len(accuracies),) or not len(confidences):
            raise ValueError("a calibration needs one accuracy for each confidence")
        if not (np.diff(confidences) > 0).all() or not (np.diff(accuracies) >= 0).all():
            raise ValueError("the steps of a calibration must ascend")
        if not (0 <= accuracies[0] <= accuracies[-1] <= 1):
            raise ValueError("the accuracies of a calibration must be from 0 to 1")
        return cls(confidences, accuracies)


def pool_adjacent_violators(means: Values, weights: Values) -> tuple[NDArray[np.int64], Values]:
    """Return the ascending step function that is closest to weighted means, in squares.

    Return the index at which each step starts, and its value.
    """
    starts: list[int] = []
    sums: list[float] = []
    totals: list[float] = []
    for index, (mean, weight) in enumerate(zip(means.tolist(), weights.tolist(), strict=True)):
        starts.append(index)
        sums.append(mean * weight)
        totals.append(weight)
        while len(starts) > 1 and sums[-2] * totals[-1] >= sums[-1] * totals[-2]:
            last_sum, last_total = sums.pop(), totals.pop()
            sums[-1] += last_sum
            totals[-1] += last_total
            starts.pop()
    return np.array(starts, np.int64), np.array(sums) / np.array(totals)
