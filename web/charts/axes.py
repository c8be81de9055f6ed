"""Axes of the charts of parameters and results: any column, as numbers, on a log scale or as words.

Scatter plot, parallel coordinates and heat map share them.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import pandas as pd

from web.charts.theme import Option
from web.data.leaderboard.columns import column_title, is_share

# More points or lines are not distinguishable.
MAX_EXPERIMENTS = 1000
# Values that differ by more get a log axis, if all are positive.
DECADE = 10
# An accuracy axis starts this many spans from the lower quartile to the best below the quartile.
SHOWN_BELOW = 3
DECIMALS = 6
WHOLE = 100


@dataclass(frozen=True)
class Axis:
    """Axis of a chart.

    Attributes:
        column: id of its column.
        kind: value, log or category.
        words: the values of a category, in their order.
        start: start of an accuracy axis in percent, if failed runs would flatten the others.

    """

    column: str
    kind: Literal["value", "log", "category"]
    words: tuple[str, ...] = ()
    start: float | None = None

    @property
    def title(self) -> str:
        """Title, with % for an accuracy."""
        title = column_title(self.column).lower()
        return f"{title}, %" if is_share(self.column) else title

    @property
    def option(self) -> Option:
        """Parts of an echarts axis."""
        if self.kind == "category":
            return {"type": "category", "data": list(self.words), "name": self.title}
        start = {} if self.start is None else {"min": self.start}
        return {"type": self.kind, "scale": True, "name": self.title, **start}


def make_axis(experiments: pd.DataFrame, column: str) -> Axis:
    """Return the axis that fits the values of a column: numbers, or words if one is a word."""
    values = experiments[column].dropna()
    if not all(_is_number(value) for value in values):
        words = sorted({_word(value) for value in values}, key=_natural)
        return Axis(column, "category", tuple(words))
    numbers = values.astype("float64")
    is_wide = len(numbers) > 0 and numbers.min() > 0 and numbers.max() > DECADE * numbers.min()
    if is_share(column):
        return Axis(column, "value", start=accuracy_start(numbers))
    return Axis(column, "log" if is_wide else "value")


def make_axes(
    experiments: pd.DataFrame, columns: Sequence[str], baseline: str | None = None
) -> list[Axis]:
    """Return the axes of a chart, with all accuracies if the baseline is below their start."""
    axes = [make_axis(experiments, column) for column in columns]
    pinned = experiments[experiments["experiment"] == baseline]
    if is_above_start(pinned, axes).all():
        return axes
    return [replace(axis, start=None) for axis in axes]


def accuracy_start(accuracies: "pd.Series[Any]") -> float | None:
    """Return the start of an axis of accuracies in percent, None if all of them fit.

    Runs far below the others, such as failed ones, would flatten the differences of the others.
    """
    if not len(accuracies):
        return None
    quartile, best = float(accuracies.quantile(0.25)), float(accuracies.max())
    start = math.floor((quartile - SHOWN_BELOW * (best - quartile)) * WHOLE)
    return float(start) if start > float(accuracies.min()) * WHOLE else None


def is_above_start(rows: pd.DataFrame, axes: Sequence[Axis]) -> "pd.Series[bool]":
    """Return for each row whether it is within all axes, which may start above failed runs."""
    within = pd.Series(data=True, index=rows.index)
    for axis in axes:
        if axis.start is not None:
            within &= positions(rows, axis) >= axis.start
    return within


def plottable(experiments: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    """Return the experiments that have a value in each of these columns, no infinite one."""
    return experiments.replace([math.inf, -math.inf], None).dropna(subset=list(columns))


def positions(rows: pd.DataFrame, axis: Axis) -> "pd.Series[Any]":
    """Return the position of each row on an axis: a number, percent, or the number of a word."""
    if axis.kind == "category":
        number_of = {word: number for number, word in enumerate(axis.words)}
        words = rows[axis.column].map(lambda value: number_of[_word(value)])
        return words.astype("float64")
    numbers = rows[axis.column].astype("float64")
    return (numbers * WHOLE if is_share(axis.column) else numbers).round(DECIMALS)


def color_range(values: "pd.Series[Any]") -> tuple[float, float]:
    """Return the lowest and the highest value, 0 and 1 without any."""
    return (float(values.min()), float(values.max())) if len(values) else (0.0, 1.0)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _word(value: object) -> str:
    if isinstance(value, bool):
        return str(value).lower()
    return f"{value:g}" if isinstance(value, int | float) else str(value)


def _natural(word: str) -> tuple[bool, float, str]:
    """Sort numbers by value and before words."""
    try:
        return False, float(word), word
    except ValueError:
        return True, 0.0, word
