"""Curves: the points of a metric in the order of their steps, one value a step. Pure."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

# As in db/csv/columns.py.
HIGHER_IS_BETTER = frozenset({"accuracy", "auc", "f1", "precision", "recall", "score"})


@dataclass(frozen=True)
class Curve:
    """Values at strictly increasing steps. Both have the same length, at least 1.

    `is_numbered` says that the steps are the numbers of the points: all were logged at one step.
    """

    steps: Sequence[int]
    values: Sequence[float]
    is_numbered: bool = False

    @property
    def last_finite(self) -> float | None:
        """The last finite value, None without one."""
        return next(filter(math.isfinite, reversed(self.values)), None)


def build(points: Sequence[tuple[int, int, float]]) -> Curve:
    """Return the curve of points (step, logged_at, value), sorted so, of which there is one.

    Of several points of one step, the one logged last counts. If all points have the same step,
    they are numbered in the order of their times.
    """
    if len(points) > 1 and points[0][0] == points[-1][0]:
        return Curve(range(len(points)), [value for *_, value in points], is_numbered=True)
    last = {step: value for step, _, value in points}
    return Curve(list(last), list(last.values()))


def best_point(metric: str, curve: Curve) -> tuple[float, int]:
    """Return the best value of a curve and the first step that has it.

    The best value is the highest of an accuracy or score, else the lowest. It is finite if any
    value is, and NaN only if all are.
    """
    candidates = [value for value in curve.values if math.isfinite(value)]
    candidates = candidates or [value for value in curve.values if not math.isnan(value)]
    if not candidates:
        return math.nan, curve.steps[0]
    value = (max if is_higher_better(metric) else min)(candidates)
    return value, curve.steps[curve.values.index(value)]


def is_better(metric: str, value: float, best: float) -> bool:
    """Return whether a later value replaces the best one."""
    if math.isnan(best) or math.isfinite(value) > math.isfinite(best):
        return not math.isnan(value)
    if math.isfinite(value) < math.isfinite(best):
        return False
    return value > best if is_higher_better(metric) else value < best


def is_higher_better(metric: str) -> bool:
    """Return whether the highest value of a metric is its best, by the words of its name."""
    return not HIGHER_IS_BETTER.isdisjoint(metric.split("_"))
