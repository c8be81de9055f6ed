"""Scatter plot."""

import pandas as pd

from tests.unit.web.charts.test_axes import EXPERIMENTS
from web.charts.run_colors import run_styles
from web.charts.scatter import BASELINE_PIXELS, scatter


def test_dot_has_the_color_of_its_run() -> None:
    option = scatter(EXPERIMENTS, "learning_rate", "test_accuracy", dark=False)
    [series] = option["series"]
    assert [(dot["name"], dot["value"]) for dot in series["data"]] == [
        ("a", [0.1, 90.0]),
        ("b", [0.1, 98.5]),
        ("c", [0.001, 5.0]),
    ]
    styles = run_styles("abc", dark=False)
    assert [dot["itemStyle"]["color"] for dot in series["data"]] == [
        styles[name].color for name in "abc"
    ]
    assert "visualMap" not in option


def test_runs_with_the_same_color_are_resolved_as_in_curves() -> None:
    names = [f"run_{number}" for number in range(40)]
    rows = pd.DataFrame({"experiment": names, "x": 1.0, "y": 2.0})
    dots = scatter(rows, "x", "y", dark=False)["series"][0]["data"]
    styles = run_styles(names, dark=False)
    assert [dot["itemStyle"]["color"] for dot in dots] == [styles[name].color for name in names]
    assert len({(dot["itemStyle"]["color"], dot["symbol"]) for dot in dots}) == len(names)


def test_dots_are_colored_by_a_number_or_by_words() -> None:
    numbers = scatter(EXPERIMENTS, "momentum", "best_loss", color="test_accuracy", dark=True)
    assert (numbers["visualMap"]["min"], numbers["visualMap"]["max"]) == (70.0, 98.5)
    words = scatter(EXPERIMENTS, "architecture", "momentum", color="architecture", dark=True)
    assert words["xAxis"]["data"] == ["lenet", "mlp"]
    colors = {dot["name"]: dot["itemStyle"]["color"] for dot in words["series"][0]["data"]}
    assert (colors["b"] == colors["d"], colors["a"] == colors["b"]) == (True, False)


def test_baseline_is_larger() -> None:
    option = scatter(EXPERIMENTS, "momentum", "test_accuracy", baseline="b", dark=False)
    sizes = {dot["name"]: dot.get("symbolSize") for dot in option["series"][0]["data"]}
    assert sizes == {"a": None, "b": BASELINE_PIXELS, "c": None, "d": None}


def test_scatter_without_experiments_is_empty() -> None:
    option = scatter(EXPERIMENTS.iloc[:0], "momentum", "best_loss", color="momentum", dark=False)
    assert option["series"][0]["data"] == []
