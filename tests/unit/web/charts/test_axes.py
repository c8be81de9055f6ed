"""Axes of the charts of parameters and results."""

from typing import Any

import pandas as pd
import pytest

from web.charts.axes import is_above_start, make_axes, make_axis, plottable, positions

EXPERIMENTS = pd.DataFrame(
    {
        "experiment": ["a", "b", "c", "d"],
        "learning_rate": [0.1, 0.1, 0.001, None],
        "momentum": [0.9, 0.9, 0.0, 0.0],
        "best_loss": [0.5, 0.25, None, 0.1],
        "test_accuracy": [0.9, 0.985, 0.05, 0.7],
        "architecture": ["mlp", "lenet", None, "lenet"],
        "batch_size": [64, 8, "many", 128],
    },
    dtype="object",
)


@pytest.mark.parametrize(
    ("column", "kind"),
    [
        ("learning_rate", "log"),  # more than a decade
        ("momentum", "value"),  # 0 has no logarithm
        ("best_loss", "value"),
        ("test_accuracy", "value"),
        ("architecture", "category"),
        ("batch_size", "category"),
    ],
)
def test_axis_fits_the_values(column: str, kind: str) -> None:
    assert make_axis(EXPERIMENTS, column).kind == kind
    assert make_axis(EXPERIMENTS.iloc[:0], column).kind == "value"


def test_accuracy_axis_is_percent_from_the_data() -> None:
    axis = make_axis(EXPERIMENTS, "test_accuracy")
    assert (axis.title, axis.option["scale"]) == ("test accuracy, %", True)
    assert list(positions(EXPERIMENTS, axis)) == [90.0, 98.5, 5.0, 70.0]


def test_failed_runs_do_not_flatten_an_accuracy_axis() -> None:
    rows = pd.DataFrame({"test_accuracy": [0.99, 0.985, 0.98, 0.97, 0.98, 0.1, 0.982, 0.985]})
    axis = make_axis(rows, "test_accuracy")
    assert (axis.start, axis.option["min"]) == (94.0, 94.0)
    assert list(is_above_start(rows, [axis])).count(False) == 1
    assert make_axis(rows[rows["test_accuracy"] > 0.5], "test_accuracy").start is None
    assert make_axis(rows.iloc[:0], "test_accuracy").start is None


def test_axes_have_room_for_the_baseline() -> None:
    values = [0.99, 0.985, 0.98, 0.97, 0.98, 0.1, 0.982, 0.985]
    rows = pd.DataFrame({"experiment": list("abcdefgh"), "test_accuracy": values})
    starts = {
        baseline: make_axes(rows, ["test_accuracy"], baseline)[0].start
        for baseline in ("a", "f", None)
    }
    assert starts == {"a": 94.0, "f": None, None: 94.0}


def test_words_are_in_their_natural_order() -> None:
    axis = make_axis(EXPERIMENTS, "batch_size")
    assert axis.words == ("8", "64", "128", "many")
    assert list(positions(EXPERIMENTS, axis)) == [1, 0, 3, 2]


def test_plottable_needs_every_column() -> None:
    found: Any = plottable(EXPERIMENTS, ("learning_rate", "architecture"))["experiment"]
    assert list(found) == ["a", "b"]
    infinite = EXPERIMENTS.assign(best_loss=float("inf"))
    assert plottable(infinite, ("best_loss",)).empty
