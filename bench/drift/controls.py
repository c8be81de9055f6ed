"""Controls: traffic that has no drift of the images, and must not raise a warning."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bench.drift.streams import distinct
from bench.reporting.report import Row
from monitoring.detector import (
    FAMILIES,
    LABELS,
    THRESHOLDS,
    Observations,
    PathReference,
    State,
    update,
)

RESHUFFLED = 20  # streams of all digits
STREAMS = 20  # of each other control
LENGTH = 500
SEVEN = 7


@dataclass(frozen=True)
class Control:
    """Streams of a control, those with a warning and those in which labels inform.

    `highest` is the highest evidence (log10) of the families that warn.
    """

    name: str
    streams: int
    warned: int
    informed: int
    highest: float
    max_warned: int = 0

    def row(self) -> Row:
        """Return the row of the report."""
        return Row(
            f"warnings, {self.name}",
            f"≤ {self.max_warned} of {self.streams}",
            f"{self.warned} (labels {self.informed}, highest evidence 10^{self.highest:.1f})",
            self.warned <= self.max_warned,
        )


def count(reference: PathReference, others: Observations) -> list[Control]:
    """Return the controls with digits that are not in the reference."""
    orders: dict[str, Callable[[np.random.Generator], NDArray[np.int64]]] = {
        "other digits, all of them": lambda rng: rng.permutation(len(others)),
        "one image 500 times": lambda rng: np.full(LENGTH, rng.integers(len(others))),
        "20 images as half of the traffic": lambda rng: _with_favorites(rng, len(others)),
        "100 sevens": lambda rng: rng.permutation(np.flatnonzero(others.classes == SEVEN))[:100],
        "digits sorted by class": lambda rng: _sorted(rng, others),
    }
    found = []
    for name, order in orders.items():
        chosen = [order(np.random.default_rng(number)) for number in range(STREAMS)]
        limit = STREAMS // 10 if name == "digits sorted by class" else 0
        found.append(_control(name, reference, (others[part] for part in chosen), limit))
    return found


def count_reshuffled(reference: PathReference, observations: Observations) -> list[Control]:
    """Return the control with the images of the reference in other orders."""
    orders = (
        np.random.default_rng(number).permutation(len(observations)) for number in range(RESHUFFLED)
    )
    name = f"{len(observations):,} digits reshuffled"
    return [_control(name, reference, (observations[order] for order in orders), 0)]


def _control(
    name: str, reference: PathReference, streams: Iterator[Observations], max_warned: int
) -> Control:
    total = warned = informed = 0
    highest = -np.inf
    for stream in streams:
        rows = stream[distinct(stream.pixels)]
        results = {
            family: update(
                reference, family, rows, State.start(reference, family), THRESHOLDS[family]
            )
            for family in FAMILIES
        }
        informed += bool(results.pop(LABELS).crossings)
        warned += any(result.crossings for result in results.values())
        highest = max(highest, *(result.highest for result in results.values()))
        total += 1
    return Control(name, total, warned, informed, float(highest), max_warned)


def _with_favorites(rng: np.random.Generator, total: int) -> NDArray[np.int64]:
    chosen: NDArray[np.int64] = rng.permutation(total)[:LENGTH]
    is_favorite = rng.random(LENGTH) < 0.5  # noqa: PLR2004
    return np.where(is_favorite, chosen[rng.integers(0, 20, LENGTH)], chosen)


def _sorted(rng: np.random.Generator, others: Observations) -> NDArray[np.int64]:
    chosen = rng.permutation(len(others))[:LENGTH]
    return chosen[np.argsort(others.classes[chosen], kind="stable")]
