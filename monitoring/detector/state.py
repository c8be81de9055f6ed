"""State of one family: all that a monitor keeps between two blocks of images."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from monitoring.detector.path_reference import PathReference

HEADER = 2  # images and onset come before the bets
MIN_EVIDENCE = 1e-300


class InvalidStateError(ValueError):
    """A stored state does not fit its reference. The message says what to do."""


@dataclass(frozen=True)
class State:
    """Evidence so far.

    Attributes:
        r: Shiryaev-Roberts statistic of each bet, float64, 0 or more.
        images: number of images examined so far.
        onset: number of the last image after which the mean of `r` was below 10.

    """

    r: NDArray[np.float64]
    images: int = 0
    onset: int = 0

    @classmethod
    def start(cls, reference: PathReference, family: str) -> "State":
        """Return the state before the first image."""
        return cls(np.zeros(_bets(reference, family)))

    @property
    def evidence(self) -> float:
        """The log10 of the mean of `r`. -300 right after a crossing and before the first image."""
        return float(np.log10(max(float(self.r.mean()), MIN_EVIDENCE)))

    def to_list(self) -> list[float]:
        """Return the numbers that `from_list` takes. They need float64: 53 bits of fraction."""
        return [float(self.images), float(self.onset), *self.r.tolist()]

    @classmethod
    def from_list(cls, numbers: Sequence[float], reference: PathReference, family: str) -> "State":
        """Return the stored state of a family.

        Raises InvalidStateError if it is of another reference or family, or damaged.
        """
        values = np.array(numbers, np.float64)
        if values.shape != (HEADER + _bets(reference, family),) or not (
            np.isfinite(values).all() and (values >= 0).all()
        ):
            raise InvalidStateError(
                f"The state of {family} does not fit its reference. Start it again: State.start."
            )
        return cls(values[HEADER:], int(values[0]), int(values[1]))


def _bets(reference: PathReference, family: str) -> int:
    return len(reference.names(family)) * reference.bets_per_feature(family)
