"""Search space of a sweep: `params.sweep` of a run, validated.

    {"learning_rate": [0.001, 0.1, "log"], "momentum": [0.0, 0.95], "batch_size": [32, 64],
     "trials": 8}

A range has a lower and an upper bound, and "log" for a logarithmic one. `batch_size` lists choices.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

RANGES = ("learning_rate", "momentum")
CHOICES = "batch_size"
TRIALS = "trials"
MAX_TRIALS = 200
MAX_CHOICES = 20
MAX_NUMBER = 1_000_000
MAX_KEY = 40  # characters of a key in a message
LOG, LINEAR = "log", "linear"
BOUNDS = 2  # of a range


class InvalidSweepError(ValueError):
    """The search space is invalid. The message names the key and gives an example."""


@dataclass(frozen=True)
class Range:
    """Numbers from `low` to `high`, both included, drawn on a logarithmic scale if `is_log`."""

    low: float
    high: float
    is_log: bool = False


@dataclass(frozen=True)
class SearchSpace:
    """Ranges by name, choices by name, and the number of trials."""

    ranges: Mapping[str, Range]
    choices: Mapping[str, tuple[int, ...]]
    trials: int

    def document(self) -> dict[str, Any]:
        """Return the space as plain values for JSON."""
        return {
            "ranges": {name: [one.low, one.high, one.is_log] for name, one in self.ranges.items()},
            "choices": {name: list(values) for name, values in self.choices.items()},
        }


def read(sweep: object) -> SearchSpace:
    """Return the search space in `params.sweep`. Raises InvalidSweepError."""
    known = (*RANGES, CHOICES, TRIALS)
    if not isinstance(sweep, Mapping):
        raise InvalidSweepError(f"sweep must be an object of {', '.join(known)}.")
    if unknown := sorted(set(sweep) - set(known)):
        raise InvalidSweepError(
            f"sweep has the unknown key {unknown[0][:MAX_KEY]!a}. Use {', '.join(known)}."
        )
    trials = sweep.get(TRIALS)
    if type(trials) is not int or not 1 <= trials <= MAX_TRIALS:
        raise InvalidSweepError(f"sweep.trials must be an integer from 1 to {MAX_TRIALS}.")
    space = SearchSpace(
        {name: _range(name, sweep[name]) for name in RANGES if name in sweep},
        {CHOICES: _choices(sweep[CHOICES])} if CHOICES in sweep else {},
        trials,
    )
    if not space.ranges and not space.choices:
        raise InvalidSweepError(
            f"sweep must vary something. Add one of {', '.join((*RANGES, CHOICES))},"
            ' such as "learning_rate": [0.001, 0.1, "log"].'
        )
    return space


def _range(name: str, value: object) -> Range:
    form = f'sweep.{name} must be two bounds, and "log" if wanted, such as [0.001, 0.1, "log"].'
    if not isinstance(value, list) or len(value) not in (BOUNDS, BOUNDS + 1):
        raise InvalidSweepError(form)
    low, high = value[:BOUNDS]
    scale = value[BOUNDS] if len(value) > BOUNDS else LINEAR
    if not (_is_number(low) and _is_number(high)) or scale not in (LOG, LINEAR):
        raise InvalidSweepError(form)
    if not low < high:
        raise InvalidSweepError(
            f"sweep.{name}: the lower bound {low} must be below the upper bound {high}."
        )
    if low < 0 or (low == 0 and (scale == LOG or name == "learning_rate")):
        raise InvalidSweepError(f"sweep.{name}: the lower bound {low} must be larger.")
    if name == "momentum" and high > 1:
        raise InvalidSweepError("sweep.momentum: the upper bound must be at most 1.")
    return Range(float(low), float(high), scale == LOG)


def _choices(value: object) -> tuple[int, ...]:
    if (
        not isinstance(value, list)
        or not 1 <= len(value) <= MAX_CHOICES
        or not all(type(item) is int and 0 < item <= MAX_NUMBER for item in value)
        or len(set(value)) != len(value)
    ):
        raise InvalidSweepError(
            f"sweep.{CHOICES} must list 1 to {MAX_CHOICES} different positive integers,"
            " such as [32, 64]."
        )
    return tuple(value)


def _is_number(value: object) -> bool:
    """Return whether a value is a number of a usable size, and not NaN."""
    return (
        isinstance(value, int | float)
        and type(value) is not bool
        and -MAX_NUMBER <= value <= MAX_NUMBER
    )
