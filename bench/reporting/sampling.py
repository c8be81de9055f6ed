"""Sampling: number and length of the measurements, and their reduction to one value."""

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True)
class Sampling:
    """Number and length of the measurements.

    Each of the `rounds` measures all targets in turn, for `seconds` each.
    """

    rounds: int
    seconds: int
    connections: tuple[int, ...]  # in the plot, for the service and the limit server
    reference_connections: tuple[int, ...]  # in the plot, for the other servers
    models_per_call: tuple[int, ...]

    @property
    def description(self) -> str:
        """Text for the report."""
        return f"{self.rounds} rounds of {self.seconds} s"


SHORT = Sampling(
    rounds=5,
    seconds=1,
    connections=(1, 16, 64),
    reference_connections=(1, 16),
    models_per_call=(1, 24, 100),
)
FULL = Sampling(
    rounds=9,
    seconds=4,
    connections=(1, 4, 16, 64, 256),
    reference_connections=(1, 4, 16, 64, 256),
    models_per_call=(1, 2, 4, 8, 16, 24, 50, 100),
)


def ratio(numerators: Sequence[float], denominators: Sequence[float]) -> float:
    """Return the median of the ratios of all rounds.

    A disturbance of the machine affects both sides of a round.
    """
    return median(a / b for a, b in zip(numerators, denominators, strict=True))


def print_progress(text: str) -> None:
    """Print a progress line to stderr immediately."""
    print(text, file=sys.stderr, flush=True)


def seconds_per_call(call: Callable[[], object], seconds: float = 0.2) -> float:
    """Return the median duration of a call in seconds, repeated for `seconds`."""
    call()
    durations = []
    end = time.perf_counter() + seconds
    while (started := time.perf_counter()) < end:
        call()
        durations.append(time.perf_counter() - started)
    return median(durations)
