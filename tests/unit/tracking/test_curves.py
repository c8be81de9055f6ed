"""Curves: order of points, repeated steps, and the best value."""

import math

import pytest

from tracking.curves import best_point, build, is_better

NAN, INF = math.nan, math.inf


def test_build_keeps_the_last_point_of_a_step() -> None:
    curve = build([(1, 5, 0.1), (1, 6, 0.2), (3, 1, 0.3)])
    assert (curve.steps, curve.values, curve.is_numbered) == ([1, 3], [0.2, 0.3], False)


def test_build_numbers_points_of_one_step() -> None:
    curve = build([(0, 1, 3.0), (0, 2, 2.0), (0, 3, NAN)])
    assert (list(curve.steps), curve.is_numbered, curve.last_finite) == ([0, 1, 2], True, 2.0)
    assert build([(7, 1, 3.0)]).steps == [7]


@pytest.mark.parametrize(
    ("metric", "values", "expected"),
    [
        ("loss", [3.0, 1.0, 1.0], (1.0, 1)),
        ("test_accuracy", [0.1, 0.9, NAN], (0.9, 1)),
        ("loss", [NAN, -INF, 2.0], (2.0, 2)),
        ("loss", [NAN, INF], (INF, 1)),
    ],
)
def test_best_point(metric: str, values: list[float], expected: tuple[float, int]) -> None:
    curve = build([(step, 0, value) for step, value in enumerate(values)])
    assert best_point(metric, curve) == expected


def test_best_point_of_nan_alone_is_nan() -> None:
    value, step = best_point("loss", build([(4, 0, NAN)]))
    assert math.isnan(value)
    assert step == 4


@pytest.mark.parametrize("metric", ["loss", "accuracy"])
def test_is_better_agrees_with_best_point(metric: str) -> None:
    """The best value does not depend on whether a curve is extended or built."""
    numbers = [NAN, INF, -INF, 1.0, 2.0]
    for values in ([a, b, c] for a in numbers for b in numbers for c in numbers):
        best = values[0]
        for value in values[1:]:
            best = value if is_better(metric, value, best) else best
        expected, _ = best_point(metric, build([(s, 0, v) for s, v in enumerate(values)]))
        assert best == expected or (math.isnan(best) and math.isnan(expected))
