"""Metric lines: curves of a run by quantity."""

import math

import pytest

from web.charts.theme import Option
from web.charts.tracking.metric_lines import (
    MAX_POINTS,
    MetricGroup,
    group_curves,
    metric_lines,
    quantity_of,
    spans_decades,
)
from web.data.tracking.types import Curve


def curve(metric: str, *values: float) -> Curve:
    return Curve(metric, tuple(range(1, len(values) + 1)), values)


def draw(*curves: Curve, log: bool = False, smoothing: float = 0.0) -> Option:
    group = MetricGroup("loss", curves)
    return metric_lines(group, log=log, smoothing=smoothing, color="#123456")


@pytest.mark.parametrize(
    ("metric", "quantity"),
    [
        ("loss", "loss"),
        ("validation_loss", "loss"),
        ("train_loss", "loss"),
        ("val_acc", "accuracy"),
        ("test_accuracy", "accuracy"),
        ("validation_f1_score", "f1_score"),
        ("test", "test"),
        ("grad_norm", "grad_norm"),
    ],
)
def test_quantity_has_no_prefix_of_its_images(metric: str, quantity: str) -> None:
    assert quantity_of(metric) == quantity


def test_loss_and_accuracy_come_first_with_validation() -> None:
    names = ("accuracy", "memory", "validation_loss", "f1", "loss", "test_accuracy", "val_f1")
    groups = group_curves([curve(name, 1.0) for name in names])
    assert [[one.metric for one in group.curves] for group in groups] == [
        ["loss", "validation_loss"],
        ["accuracy", "test_accuracy"],
        ["f1", "val_f1"],
        ["memory"],
    ]
    assert [group.is_main for group in groups] == [True, True, False, False]


def test_values_without_a_place_leave_a_gap() -> None:
    loss = curve("loss", 0.5, math.nan, math.inf, 0.0, 0.25)
    linear = draw(loss)["series"][0]["data"]
    assert linear == [[1, 0.5], [2, None], [3, None], [4, 0.0], [5, 0.25]]
    log = draw(loss, log=True)
    assert log["series"][0]["data"] == [[1, 0.5], [2, None], [3, None], [4, None], [5, 0.25]]
    assert log["yAxis"]["type"] == "log"


def test_curve_without_a_finite_value_is_an_empty_chart() -> None:
    assert draw(curve("loss", math.nan))["series"][0]["data"] == [[1, None]]


def test_lines_of_a_run_share_its_color_and_differ_in_dashes() -> None:
    option = draw(curve("loss", 1.0, 2.0), curve("validation_loss", 1.0))
    styles = [(one["lineStyle"]["color"], one["lineStyle"]["type"]) for one in option["series"]]
    assert styles == [("#123456", "solid"), ("#123456", "dashed")]
    assert [one["showSymbol"] for one in option["series"]] == [False, True]
    assert option["legend"]["show"]


def test_smoothing_keeps_the_raw_line_faint() -> None:
    smoothed, raw = draw(curve("loss", 1.0, 0.0, 1.0), smoothing=0.5)["series"]
    assert raw["data"] == [[1, 1.0], [2, 0.0], [3, 1.0]]
    assert raw["lineStyle"]["opacity"] < 1
    assert smoothed["data"][1][1] == pytest.approx(1 / 3)


def test_long_curve_keeps_its_ends() -> None:
    points = draw(curve("loss", *map(float, range(5 * MAX_POINTS))))["series"][0]["data"]
    assert len(points) == MAX_POINTS
    assert (points[0], points[-1]) == ([1, 0.0], [5 * MAX_POINTS, 5 * MAX_POINTS - 1.0])


def test_diverged_curve_does_not_flatten_the_chart() -> None:
    option = draw(curve("loss", *[1.0] * 5, 1e6))
    assert option["yAxis"]["max"] == 5


def test_log_axis_ends_close_to_the_values() -> None:
    axis = draw(curve("loss", 0.93, 0.07), log=True)["yAxis"]
    assert (axis["min"], axis["max"]) == (pytest.approx(0.05), 1)
    assert "min" not in draw(curve("loss", math.nan), log=True)["yAxis"]


def test_loss_that_falls_by_a_factor_of_ten_spans_decades() -> None:
    assert spans_decades(MetricGroup("loss", (curve("loss", 0.9, math.nan, 0.08),)))
    assert not spans_decades(MetricGroup("loss", (curve("loss", 0.9, 0.1),)))
