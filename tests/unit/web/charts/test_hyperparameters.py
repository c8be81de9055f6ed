"""Hyperparameter charts: scatter plot, parallel coordinates and accuracy heat map."""

import pandas as pd

from web.charts.accuracy_heat_map import accuracy_heat_map
from web.charts.parallel_coordinates import parallel_coordinates
from web.charts.scatter import scatter

EXPERIMENTS = pd.DataFrame(
    {
        "experiment": ["a", "b", "c", "d"],
        "learning_rate": [0.1, 0.1, 0.01, 0.0],
        "momentum": [0.9, 0.9, 0.0, 0.0],
        "best_loss": [0.5, 0.25, None, 0.1],
        "test_accuracy": [0.9, 0.985, 0.5, 0.7],
    }
)


def test_scatter_skips_values_outside_its_log_axis() -> None:
    [series] = scatter(EXPERIMENTS)["series"]
    assert [(dot["name"], dot["value"]) for dot in series["data"]] == [
        ("a", [0.1, 90.0]),
        ("b", [0.1, 98.5]),
        ("c", [0.01, 50.0]),
    ]


def test_parallel_coordinates_need_all_numbers() -> None:
    option = parallel_coordinates(EXPERIMENTS, dark=False)
    assert [line["name"] for line in option["series"][0]["data"]] == ["a", "b"]
    assert len(option["parallelAxis"]) == len(option["series"][0]["data"][0]["value"]) == 4


def test_accuracy_heat_map_cell_has_the_best_accuracy() -> None:
    option = accuracy_heat_map(EXPERIMENTS, dark=True)
    assert [cell["value"] for cell in option["series"][0]["data"]] == [[0, 0, 50.0], [1, 1, 98.5]]
    assert (option["xAxis"]["data"], option["yAxis"]["data"]) == (["0.01", "0.1"], ["0", "0.9"])


def test_accuracy_heat_map_rounds_many_learning_rates() -> None:
    many = pd.DataFrame(
        {
            "learning_rate": [0.1 + 0.001 * number for number in range(100)],
            "momentum": 0.0,
            "test_accuracy": 0.9,
        }
    )
    assert accuracy_heat_map(many, dark=False)["xAxis"]["data"] == ["0.1", "0.2"]


def test_charts_without_experiments_are_empty() -> None:
    none = EXPERIMENTS.iloc[:0]
    for option in (
        scatter(none),
        parallel_coordinates(none, dark=False),
        accuracy_heat_map(none, dark=False),
    ):
        assert option["series"][0]["data"] == []
