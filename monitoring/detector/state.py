"""State of one family: all that a monitor keeps between two blocks of images."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from monitoring.detector.path_reference import PathReference

HEADER = 1  # the number of images comes before the numbers of the bets


class InvalidStateError(ValueError):
    """A stored state does not fit its reference. The message says what to do."""


@dataclass(frozen=True)
class State:
    """Evidence so far.

    Attributes:
        r: Shiryaev-Roberts statistic of each bet, float64, 0 or more.
        quiet: number of the last image after which each statistic was below 10, int64. 0 if it
            never was.
        images: number of images examined so far.

    """

    r: NDArray[np.float64]
    quiet: NDArray[np.int64]
    images: int = 0

    @classmethod
    def start(cls, reference: PathReference, family: str) -> "State":
        """Return the state before the first image."""
        bets = _bets(reference, family)
        return cls(np.zeros(bets), np.zeros(bets, np.int64))

    @property
    def evidence(self) -> float:
        """The log10 of the mean of `r`. 0 before the first image and right after a crossing."""
        mean = float(self.r.mean())
        return float(np.log10(mean)) if mean > 0 else 0.0

    @property
    def onset(self) -> int:
        """Number of the last ordinary image, if there is a drift.

        It is the last image after which the largest statistic was below 10. The mean of all
        would not do: it stays above 10 for hundreds of ordinary images.
        """
        return int(self.quiet[self.r.argmax()])

    def to_list(self) -> list[float]:
        """Return the numbers that `from_list` takes. They need float64: 53 bits of fraction."""
        return [float(self.images), *self.quiet.astype(np.float64).tolist(), *self.r.tolist()]

    @classmethod
    def from_list(cls, numbers: Sequence[float], reference: PathReference, family: str) -> "State":
        """Return the stored state of a family.

        Raises InvalidStateError if it is of another reference or family, or damaged.
        """
        values = np.array(numbers, np.float64)
        bets = _bets(reference, family)
        if values.shape != (HEADER + 2 * bets,) or not (
            np.isfinite(values).all() and (values >= 0).all()
        ):
            raise InvalidStateError(
                f"The state of {family} does not fit its reference. Start it again: State.start."
            )
        quiet = values[HEADER : HEADER + bets].astype(np.int64)
        return cls(values[HEADER + bets :], quiet, int(values[0]))


def _bets(reference: PathReference, family: str) -> int:
    return len(reference.names(family)) * reference.bets_per_feature(family)
