"""History: sums of the examined images between two rows of drift_checks.

A row ends at the first image that is 100 images and a minute after the previous row, by the times
of the images. The sums are added in the order of the images, so a repeated check gives the same
rows, to the last bit.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

ROW_IMAGES = 100
ROW_MICROSECONDS = 60_000_000
NONE = -300.0  # evidence of no image
HEADER = 6

Values = NDArray[np.float64]


@dataclass(frozen=True)
class Measured:
    """N images with the evidence after each, and what is summed up.

    `features` is N x F, `accuracies` the estimated accuracy of each image or None, and `drifting`
    whether an alert of the images was open, which makes the estimate worthless.
    """

    times: NDArray[np.int64]
    evidence: Values
    classes: NDArray[np.int64]
    features: Values
    accuracies: Values | None
    drifting: NDArray[np.bool_]


@dataclass(frozen=True)
class Check:
    """Row of drift_checks, without its monitor. `position` counts the images of the block."""

    position: int
    examined: int
    evidence: float
    highest: float
    means: list[float]
    label_counts: list[int]
    estimated_accuracy: float | None
    skipped: int


@dataclass(frozen=True)
class History:
    """Sums since the previous row, whose last image has the time `row_at` (Unix time, us)."""

    label_counts: NDArray[np.int64]
    sums: Values
    examined: int = 0
    skipped: int = 0
    highest: float = NONE
    row_at: int = 0
    accuracy: float = 0.0
    is_estimable: bool = True

    @classmethod
    def start(cls, classes: int, features: int) -> "History":
        """Return the history before the first image."""
        return cls(np.zeros(classes, np.int64), np.zeros(features))

    def to_list(self) -> list[float]:
        """Return the numbers that `from_list` takes."""
        header = (self.examined, self.skipped, self.highest, self.row_at, self.accuracy)
        counts = self.label_counts.tolist()
        return [*map(float, (*header, self.is_estimable, *counts)), *self.sums.tolist()]

    @classmethod
    def size(cls, classes: int, features: int) -> int:
        """Return the number of numbers of `to_list`."""
        return HEADER + classes + features

    @classmethod
    def from_list(cls, numbers: Sequence[float], classes: int) -> "History":
        """Return a stored history."""
        examined, skipped, highest, row_at, accuracy, is_estimable = numbers[:HEADER]
        return cls(
            np.array(numbers[HEADER : HEADER + classes], np.int64),
            np.array(numbers[HEADER + classes :], np.float64),
            int(examined),
            int(skipped),
            highest,
            int(row_at),
            accuracy,
            bool(is_estimable),
        )

    def skip(self, images: int) -> "History":
        """Return the history after some images that are not examined."""
        return replace(self, skipped=self.skipped + images)

    def add(self, measured: Measured) -> tuple["History", list[Check]]:
        """Return the history after some images, and the rows that are complete."""
        history, checks, start = self, [], 0
        while (end := history.row_end(measured.times, start)) is not None:
            history = history.extended(measured, slice(start, end))
            checks.append(history.check(end, float(measured.evidence[end - 1])))
            history = replace(
                History.start(len(self.label_counts), len(self.sums)),
                row_at=int(measured.times[end - 1]),
            )
            start = end
        return history.extended(measured, slice(start, None)), checks

    def row_end(self, times: NDArray[np.int64], start: int) -> int | None:
        """Return the position behind the image that completes the row, None if none does."""
        first = start + max(0, ROW_IMAGES - self.examined - 1)
        late = np.flatnonzero(times[first:] - self.row_at >= ROW_MICROSECONDS)
        return first + int(late[0]) + 1 if len(late) else None

    def extended(self, measured: Measured, part: slice) -> "History":
        """Return the history after some of the images."""
        evidence = measured.evidence[part]
        if not len(evidence):
            return self
        sums = np.cumsum(np.concatenate([self.sums[None], measured.features[part]]), axis=0)[-1]
        accuracy = self.accuracy
        if measured.accuracies is not None:
            accuracy = float(np.cumsum([accuracy, *measured.accuracies[part].tolist()])[-1])
        counts = np.bincount(measured.classes[part], minlength=len(self.label_counts))
        return replace(
            self,
            label_counts=self.label_counts + counts,
            sums=sums,
            examined=self.examined + len(evidence),
            highest=max(self.highest, float(evidence.max())),
            accuracy=accuracy,
            is_estimable=self.is_estimable
            and measured.accuracies is not None
            and not measured.drifting[part].any(),
        )

    def check(self, position: int, evidence: float) -> Check:
        """Return the row of these sums."""
        return Check(
            position,
            self.examined,
            evidence,
            self.highest,
            (self.sums / self.examined).tolist(),
            self.label_counts.tolist(),
            self.accuracy / self.examined if self.is_estimable else None,
            self.skipped,
        )
