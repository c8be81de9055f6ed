"""Live accuracy: evidence that a model is wrong more often than on its test images.

It reads labels that were asked for at random, because volunteered ones are about wrong predictions.
Each label gives bets of mean 1 at the usual error rate, as in the drift detector.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

THRESHOLD = 1e4  # labels between two false alarms
MIN_ERROR, MAX_ERROR = 0.002, 0.5  # usual error rate; with fewer errors a test set says little
FACTORS = (1.5, 2.0, 4.0, 8.0)  # by which the error rate may have risen
MAX_RISEN = 0.95
NOTHING = 1e-300


@dataclass(frozen=True)
class AccuracyState:
    """Statistic R of each bet, and the number of labels examined so far."""

    r: tuple[float, ...] = (0.0,) * len(FACTORS)
    labels: int = 0

    def to_list(self) -> list[float]:
        """Return the numbers that `from_list` takes."""
        return [float(self.labels), *self.r]

    @classmethod
    def from_list(cls, numbers: Sequence[float]) -> "AccuracyState":
        """Return a stored state, the first one without numbers."""
        if len(numbers) != 1 + len(FACTORS):
            return cls()
        return cls(tuple(numbers[1:]), int(numbers[0]))


@dataclass(frozen=True)
class AccuracyUpdate:
    """Result of some labels.

    Attributes:
        state: the state after them.
        evidence: log10 of the mean R after each label, N.
        crossings: positions of the labels at which it reached the threshold. R is 0 after each.

    """

    state: AccuracyState
    evidence: tuple[float, ...]
    crossings: tuple[int, ...]


def examine_labels(
    test_accuracy: float, state: AccuracyState, wrong: Sequence[bool], threshold: float = THRESHOLD
) -> AccuracyUpdate:
    """Return the evidence after each of the next labels.

    `test_accuracy` is 0 to 1. `wrong` says whether the model was wrong.
    """
    right_bets, wrong_bets = _bets(1 - test_accuracy)
    r, evidence, crossings = np.array(state.r), [], []
    for position, is_wrong in enumerate(wrong):
        r = (1 + r) * (wrong_bets if is_wrong else right_bets)
        mean = float(r.mean())
        evidence.append(float(np.log10(max(mean, NOTHING))))
        if mean >= threshold:
            crossings.append(position)
            r = np.zeros_like(r)
    after = AccuracyState(tuple(r.tolist()), state.labels + len(wrong))
    return AccuracyUpdate(after, tuple(evidence), tuple(crossings))


def _bets(error: float) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Return the bets on a correct and on a wrong prediction."""
    usual = min(max(error, MIN_ERROR), MAX_ERROR)
    risen = np.minimum(np.array(FACTORS) * usual, max(MAX_RISEN, usual))
    return (1 - risen) / (1 - usual), risen / usual
