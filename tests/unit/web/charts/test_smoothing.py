"""Smoothing and relative steps of curves."""

import math

import pandas as pd
import pytest

from web.charts.smoothing import smooth, to_relative_steps


def curves(**values: list[tuple[int, float]]) -> pd.DataFrame:
    return pd.DataFrame(
        [(name, step, value) for name, points in values.items() for step, value in points],
        columns=["experiment", "step", "value"],
    )


def test_smooth_is_the_debiased_average() -> None:
    values, weight = [4.0, 2.0, 3.0, 1.0], 0.9
    average, expected = 0.0, []
    for step, value in enumerate(values, start=1):
        average = weight * average + (1 - weight) * value
        expected.append(average / (1 - weight**step))
    smoothed = smooth(curves(a=list(enumerate(values)), b=[(0, 7.0)]), weight)
    assert list(smoothed["value"]) == pytest.approx([*expected, 7.0])


def test_smooth_with_weight_zero_changes_nothing() -> None:
    raw = curves(a=[(0, 2.0), (1, 1.0)])
    pd.testing.assert_frame_equal(smooth(raw, 0.0), raw)


def test_smooth_keeps_positive_and_skips_infinite_values() -> None:
    smoothed = smooth(curves(a=[(0, 1e-9), (1, math.inf), (2, 1e-9)]), 0.99)
    assert list(smoothed["value"]) == [pytest.approx(1e-9), math.inf, pytest.approx(1e-9)]


def test_smooth_rejects_weight_one() -> None:
    with pytest.raises(ValueError, match=r"0\.99"):
        smooth(curves(a=[(0, 1.0)]), 1.0)


def test_relative_steps_end_at_100_percent() -> None:
    relative = to_relative_steps(
        curves(short=[(5, 1.0), (10, 1.0)], long=[(0, 1.0), (300, 1.0)], still=[(0, 1.0)])
    )
    assert list(relative["step"]) == [50.0, 100.0, 0.0, 100.0, 100.0]
