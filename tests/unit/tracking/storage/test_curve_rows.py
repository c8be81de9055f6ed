"""Extensions of curves by the points of a round."""

from __future__ import annotations

import math

from tracking.runs import Point
from tracking.storage.curve_rows import Extension, Tail, extend

TAIL = Tail(points=3, last_step=20, best_value=0.5, best_step=10)


def extended(tail: Tail, *points: Point) -> Extension:
    """Return an extension of the loss of run 7, which has to be one."""
    extension = extend(7, "val_loss", tail, points)
    assert extension is not None
    return extension


def test_extend_following_points_moves_the_tail() -> None:
    extension = extended(TAIL, Point("val_loss", 30, 1, 0.4), Point("val_loss", 40, 2, 0.6))
    assert (extension.steps, extension.values) == ([30, 40], [0.4, 0.6])
    assert extension.before == TAIL
    assert extension.after == Tail(points=5, last_step=40, best_value=0.4, best_step=30)


def test_extend_best_of_an_accuracy_is_the_highest() -> None:
    extension = extend(7, "val_acc", TAIL, [Point("val_acc", 30, 1, 0.9)])
    assert extension is not None
    assert (extension.after.best_value, extension.after.best_step) == (0.9, 30)


def test_extend_earlier_or_repeated_step_is_refused() -> None:
    for steps in ([20], [15], [30, 30], [40, 30]):
        points = [Point("val_loss", step, number, 1.0) for number, step in enumerate(steps)]
        assert extend(7, "val_loss", TAIL, points) is None


def test_extend_skips_points_that_the_curve_has() -> None:
    """A rebuilt curve has points whose commit was reported after it was read."""
    known = Point("val_loss", 20, 5, math.nan)
    tail = Tail(3, 20, 0.5, 10, frozenset({(20, 5, "nan"), (19, 4, "1.0")}))
    extension = extended(tail, known, Point("val_loss", 30, 6, 0.7))
    assert extension.steps == [30]
    assert extension.after.ahead == {(19, 4, "1.0")}


def test_extend_other_value_at_a_known_step_is_refused() -> None:
    tail = Tail(3, 20, 0.5, 10, frozenset({(20, 5, "1.0")}))
    assert extend(7, "val_loss", tail, [Point("val_loss", 20, 5, 2.0)]) is None
    twice = [Point("val_loss", 20, 5, 1.0)] * 2
    assert extend(7, "val_loss", tail, twice) is None


def test_extend_known_points_alone_write_nothing() -> None:
    tail = Tail(3, 20, 0.5, 10, frozenset({(20, 5, "1.0")}))
    extension = extended(tail, Point("val_loss", 20, 5, 1.0))
    assert (extension.steps, extension.after) == ([], TAIL)
