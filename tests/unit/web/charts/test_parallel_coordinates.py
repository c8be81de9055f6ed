"""Parallel coordinates."""

import pandas as pd

from tests.unit.web.charts.test_axes import EXPERIMENTS
from web.charts.parallel_coordinates import BASELINE_WIDTH, parallel_coordinates
from web.charts.run_colors import run_styles

AXES = ("learning_rate", "architecture", "test_accuracy")


def test_lines_need_all_values_and_are_sorted_by_color() -> None:
    option = parallel_coordinates(EXPERIMENTS, AXES, color="best_loss", baseline="b", dark=False)
    lines = {line["name"]: line for line in option["series"][0]["data"]}
    assert {name: line["value"] for name, line in lines.items()} == {
        "b": [0.1, 0, 98.5, 0.25],
        "a": [0.1, 1, 90.0, 0.5],
    }
    assert list(lines) == ["b", "a"]  # stronger lines are drawn last
    assert lines["b"]["lineStyle"]["width"] == BASELINE_WIDTH
    assert [axis["type"] for axis in option["parallelAxis"]] == ["value", "category", "value"]
    assert option["visualMap"]["dimension"] == len(AXES)


def test_lines_have_the_colors_of_their_runs() -> None:
    option = parallel_coordinates(EXPERIMENTS, ("momentum",), color=None, dark=True)
    styles = run_styles("abcd", dark=True)
    assert [line["lineStyle"]["color"] for line in option["series"][0]["data"]] == [
        styles[name].color for name in "abcd"
    ]


def test_accuracy_axis_starts_at_the_data() -> None:
    """A failed run would flatten the others. As the baseline, it stays."""
    accuracies = [0.99, 0.985, 0.98, 0.97, 0.98, 0.1, 0.982, 0.985]
    rows = pd.DataFrame({"experiment": list("abcdefgh"), "test_accuracy": accuracies})
    drawn = {}
    for baseline in ("a", "f"):
        option = parallel_coordinates(
            rows, ["test_accuracy"], color=None, baseline=baseline, dark=False
        )
        names = "".join(line["name"] for line in option["series"][0]["data"])
        drawn[baseline] = names, option["parallelAxis"][0].get("min")
    assert drawn == {"a": ("abcdegh", 94.0), "f": ("abcdefgh", None)}


def test_parallel_coordinates_without_experiments_are_empty() -> None:
    option = parallel_coordinates(EXPERIMENTS.iloc[:0], AXES, color="best_loss", dark=False)
    assert option["series"][0]["data"] == []
