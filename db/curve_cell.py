"""One cell of data.csv that holds a curve, {"Step": [...], "Value": [...]} -> a Curve.

Pure, and trusts nothing.
"""

import json
import math
import operator
from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice

HIGHER_IS_BETTER = frozenset({"accuracy", "precision", "recall", "f1", "auc", "score"})
MAX_STEP = 2**63 - 1  # Postgres's bigint


class InvalidCellError(Exception):
    """A cell's value cannot be used; the message says why, to stand behind the column's name."""


@dataclass(frozen=True)
class Curve:
    """A metric at strictly increasing optimizer steps.

    Both tuples have the same length, at least 1, and are finite.
    """

    steps: tuple[int, ...]
    values: tuple[float, ...]

    def content(self) -> bytes:
        """Return the numbers as bytes: equal exactly when the curves are."""
        return array("q", self.steps).tobytes() + array("d", self.values).tobytes()

    def best(self, metric: str) -> tuple[float, int]:
        """Return the best value and the first step that has it.

        The highest of an accuracy or score, else the lowest.
        """
        choose = max if HIGHER_IS_BETTER & set(metric.split("_")) else min
        value = choose(self.values)
        return value, self.steps[self.values.index(value)]


def read_curve(cell: str) -> Curve:
    """Return the curve of a cell's JSON. Raises InvalidCellError."""
    try:
        document = json.loads(cell, parse_constant=_refuse_constant)
    except InvalidCellError:
        raise
    except (ValueError, RecursionError) as error:
        raise InvalidCellError(
            'is no JSON; it must be {"Step": [...], "Value": [...]}' if cell else "is missing"
        ) from error
    steps, values = (
        (document.get("Step"), document.get("Value"))
        if isinstance(document, dict)
        else (None, None)
    )
    if not isinstance(steps, list) or not isinstance(values, list):
        raise InvalidCellError(
            'must be a JSON object with two lists: {"Step": [...], "Value": [...]}'
        )
    if len(steps) != len(values):
        raise InvalidCellError(f"has {len(steps)} steps and {len(values)} values")
    if not steps:
        raise InvalidCellError("has no points")
    if not _are_numbers(steps) or not _are_whole(steps):
        raise InvalidCellError("has a step that is no whole number")
    if not all(map(operator.lt, steps, islice(steps, 1, None))):
        raise InvalidCellError("has steps that do not increase")
    if not _are_numbers(values):
        raise InvalidCellError("has a value that is no finite number")
    return Curve(tuple(map(int, steps)), tuple(map(float, values)))


def _refuse_constant(name: str) -> object:
    raise InvalidCellError(f"holds {name}; values must be finite numbers")


# A file may have tens of millions of numbers: these look at all of a curve at once, without a line
# of Python for each.
def _are_numbers(values: Iterable[object]) -> bool:
    """Tell whether JSON values are all finite numbers that a double can hold."""
    try:
        return {int, float}.issuperset(map(type, values)) and all(map(math.isfinite, values))  # type: ignore[arg-type]
    except OverflowError:
        return False


def _are_whole(numbers: list[float]) -> bool:
    kinds = set(map(type, numbers))
    if float in kinds and not all(number == int(number) for number in numbers):
        return False
    return min(numbers) >= -MAX_STEP and max(numbers) <= MAX_STEP
