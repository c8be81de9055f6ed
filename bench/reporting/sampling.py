"""How much is measured, and how samples become one figure."""

import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True)
class Effort:
    """Everything is measured `rounds` times, one contestant after the other in each, for `seconds`
    each time.
    """

    rounds: int
    seconds: int
    connections: tuple[int, ...]  # for the plot: of the service and the limit
    few_connections: tuple[int, ...]  # likewise, of the other servers
    models_in_one_call: tuple[int, ...]

    @property
    def name(self) -> str:
        """What the doc calls it."""
        return f"{self.rounds} rounds of {self.seconds} s"


SHORT = Effort(
    rounds=5,
    seconds=1,
    connections=(1, 16, 64),
    few_connections=(1, 16),
    models_in_one_call=(1, 24, 100),
)
FULL = Effort(
    rounds=9,
    seconds=4,
    connections=(1, 4, 16, 64, 256),
    few_connections=(1, 4, 16, 64, 256),
    models_in_one_call=(1, 2, 4, 8, 16, 24, 50, 100),
)


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> float:
    """Return the median of the ratios of each round.

    What disturbs the machine disturbs both sides of a round.
    """
    return median(one / other for one, other in zip(ours, theirs, strict=True))


def say(text: str) -> None:
    """Show a line of progress at once."""
    print(text, file=sys.stderr, flush=True)


def seconds_per_call(call: Callable[[], object], seconds: float = 0.2) -> float:
    """Return the median time of a call, repeated for `seconds`, in seconds."""
    call()
    durations = []
    end = time.perf_counter() + seconds
    while (started := time.perf_counter()) < end:
        call()
        durations.append(time.perf_counter() - started)
    return median(durations)
