"""One cell of data.csv that holds a curve, {"Step": [...], "Value": [...]} -> a Curve. Pure, and trusts nothing."""

import json
import math
from dataclasses import dataclass
from itertools import pairwise

HIGHER_IS_BETTER = frozenset({"accuracy", "precision", "recall", "f1", "auc", "score"})
MAX_STEP = 2**63 - 1  # Postgres's bigint


class BadCell(Exception):
    """A cell's value cannot be used; the message says why, to stand behind the column's name."""


@dataclass(frozen=True)
class Curve:
    """A metric at strictly increasing optimizer steps; both tuples have the same length, at least 1, and are finite."""

    steps: tuple[int, ...]
    values: tuple[float, ...]

    def best(self, metric: str) -> tuple[float, int]:
        """Return the best value and the first step that has it: the highest of an accuracy or score, else the lowest."""
        choose = max if HIGHER_IS_BETTER & set(metric.split("_")) else min
        value = choose(self.values)
        return value, self.steps[self.values.index(value)]


def read_curve(cell: str) -> Curve:
    """Return the curve of a cell's JSON. Raises BadCell."""
    try:
        document = json.loads(cell, parse_constant=_refuse_constant)
    except BadCell:
        raise
    except (ValueError, RecursionError) as error:
        raise BadCell('is no JSON; it must be {"Step": [...], "Value": [...]}' if cell else "is missing") from error
    steps, values = (document.get("Step"), document.get("Value")) if isinstance(document, dict) else (None, None)
    if not isinstance(steps, list) or not isinstance(values, list):
        raise BadCell('must be a JSON object with two lists: {"Step": [...], "Value": [...]}')
    if len(steps) != len(values):
        raise BadCell(f"has {len(steps)} steps and {len(values)} values")
    if not steps:
        raise BadCell("has no points")
    if not all(_is_number(step) and step == int(step) and abs(step) <= MAX_STEP for step in steps):
        raise BadCell("has a step that is no whole number")
    if any(later <= earlier for earlier, later in pairwise(steps)):
        raise BadCell("has steps that do not increase")
    if not all(_is_number(value) for value in values):
        raise BadCell("has a value that is no finite number")
    return Curve(tuple(int(step) for step in steps), tuple(float(value) for value in values))


def _refuse_constant(name: str) -> object:
    raise BadCell(f"holds {name}; values must be finite numbers")


def _is_number(value: object) -> bool:
    """Tell whether a JSON value is a finite number that a double can hold."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    try:
        return math.isfinite(float(value))
    except OverflowError:
        return False
