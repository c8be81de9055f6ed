"""Accuracy heat map."""

import pandas as pd

from tests.unit.web.charts.test_hyperparameters import EXPERIMENTS
from web.charts.accuracy_heat_map import accuracy_heat_map


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


def test_accuracy_heat_map_without_experiments_is_empty() -> None:
    option = accuracy_heat_map(EXPERIMENTS.iloc[:0], dark=False)
    assert option["series"][0]["data"] == []
