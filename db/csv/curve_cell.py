"""Curve cells: parse a metric over training steps, {"Step": [...], "Value": [...]}.

A change to a rule requires a higher `reader.READER_VERSION`.
"""

import json
import math
import operator
from array import array
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import islice

from db.csv import reject_reasons
from db.csv.columns import HIGHER_IS_BETTER
from db.csv.reject_reasons import InvalidCellError

MAX_STEP = 2**63 - 1  # the highest bigint of Postgres


@dataclass(frozen=True)
class Curve:
    """Metric values at strictly increasing optimizer steps.

    Both tuples have the same length, at least 1. All numbers are finite.
    """

    steps: tuple[int, ...]
    values: tuple[float, ...]

    def to_bytes(self) -> bytes:
        """Return the numbers as bytes. Two curves are equal exactly if their bytes are."""
        return array("q", self.steps).tobytes() + array("d", self.values).tobytes()

    def best_point(self, metric: str) -> tuple[float, int]:
        """Return the best value and the first step that has it.

        The best value is the highest of an accuracy or score, else the lowest.
        """
        choose = max if HIGHER_IS_BETTER & set(metric.split("_")) else min
        value = choose(self.values)
        return value, self.steps[self.values.index(value)]


def is_curve(cell: str) -> bool:
    """Tell whether a cell of any column is meant as a curve."""
    return cell.startswith("{") and '"Step"' in cell


def parse_curve(cell: str) -> Curve:
    """Return the curve of a cell's JSON. Raises InvalidCellError."""
    if not cell:
        raise InvalidCellError(reject_reasons.CURVE_IS_MISSING)
    try:
        document = json.loads(cell, parse_constant=_reject_constant)
    except InvalidCellError:
        raise
    except (ValueError, RecursionError) as error:
        raise InvalidCellError(reject_reasons.CURVE_IS_NOT_JSON) from error
    is_object = isinstance(document, dict)
    steps, values = (document.get("Step"), document.get("Value")) if is_object else (None, None)
    if not isinstance(steps, list) or not isinstance(values, list):
        raise InvalidCellError(reject_reasons.CURVE_HAS_NO_LISTS)
    if len(steps) != len(values):
        raise InvalidCellError(reject_reasons.unequal_lists(len(steps), len(values)))
    if not steps:
        raise InvalidCellError(reject_reasons.CURVE_IS_EMPTY)
    if not _are_finite_numbers(steps) or not _are_64_bit_integers(steps):
        raise InvalidCellError(reject_reasons.STEP_IS_NOT_AN_INTEGER)
    if not all(map(operator.lt, steps, islice(steps, 1, None))):
        raise InvalidCellError(reject_reasons.STEPS_DO_NOT_INCREASE)
    if not _are_finite_numbers(values):
        raise InvalidCellError(reject_reasons.VALUE_IS_NOT_FINITE)
    return Curve(tuple(map(int, steps)), tuple(map(float, values)))


def _reject_constant(name: str) -> object:
    raise InvalidCellError(reject_reasons.constant_in_curve(name))


# A file may have tens of millions of numbers, so these functions run no Python code per number.
def _are_finite_numbers(values: Iterable[object]) -> bool:
    """Tell whether all JSON values are finite numbers that fit a double."""
    if not {int, float}.issuperset(map(type, values)):
        return False
    try:
        return all(map(math.isfinite, values))  # type: ignore[arg-type]
    except OverflowError:
        return False


def _are_64_bit_integers(numbers: list[float]) -> bool:
    kinds = set(map(type, numbers))
    if float in kinds and not all(number == int(number) for number in numbers):
        return False
    return min(numbers) >= -MAX_STEP and max(numbers) <= MAX_STEP
