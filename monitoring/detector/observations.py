"""Observations: distinct images in their order, with the predictions of one model version."""

from collections.abc import Callable, Hashable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

SIDE = 28  # pixels
TIE_BITS = 53  # of a float64's fraction


@dataclass(frozen=True)
class Observations:
    """N distinct images in order, as one model version sees them.

    Attributes:
        pixels: N x 28 x 28 uint8, ink high.
        classes: N int64, the index of the predicted class.
        probabilities: N x K float32, 0 to 1.
        ties: N float64 in [0, 1), from the digest of each image (`tie_of`). They place an image
            among equal values of the reference, so that a replay gives the same evidence.

    Raises ValueError for arrays of other shapes.

    """

    pixels: NDArray[np.uint8]
    classes: NDArray[np.int64]
    probabilities: NDArray[np.float32]
    ties: NDArray[np.float64]
    _shared: dict[Hashable, NDArray[np.float64]] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def __post_init__(self) -> None:
        count = len(self.pixels)
        if self.pixels.shape != (count, SIDE, SIDE) or self.pixels.dtype != np.uint8:
            raise ValueError("pixels must be uint8 of shape (n, 28, 28)")
        if self.classes.shape != (count,) or self.ties.shape != (count,):
            raise ValueError("classes and ties must have one value for each image")
        if self.probabilities.ndim != 2 or len(self.probabilities) != count:  # noqa: PLR2004
            raise ValueError("probabilities must have one row for each image")

    def __len__(self) -> int:
        return len(self.pixels)

    def shared(
        self, key: Hashable, compute: Callable[[], NDArray[np.float64]]
    ) -> NDArray[np.float64]:
        """Return values that several families need, computed once."""
        if key not in self._shared:
            self._shared[key] = compute()
        return self._shared[key]

    def __getitem__(self, index: slice | NDArray[np.int64]) -> "Observations":
        """Return the observations at a slice or at an array of indices."""
        return Observations(
            self.pixels[index], self.classes[index], self.probabilities[index], self.ties[index]
        )


def tie_of(digest: str) -> float:
    """Return the tie of an image in [0, 1), from its digest: sha256 in hex."""
    return (int(digest[:16], 16) >> (64 - TIE_BITS)) / (1 << TIE_BITS)


def spread_ties(ties: NDArray[np.float64], count: int, first: int = 0) -> NDArray[np.float64]:
    """Return one tie for each of `count` features, numbered from `first`: N x count in [0, 1).

    Another number gives another tie, so that one image does not tie alike in all features.
    """
    factors = (1 + np.arange(first, first + count) * 7919.0) * 104729.0  # two primes
    spread: NDArray[np.float64] = (ties[:, None] * factors) % 1.0
    return spread
