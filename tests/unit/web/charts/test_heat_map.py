"""Heat map."""

import pandas as pd

from tests.unit.web.charts.test_axes import EXPERIMENTS
from web.charts.heat_map import BASELINE_BORDER, heat_map


def test_cell_has_the_best_accuracy() -> None:
    option = heat_map(EXPERIMENTS, "learning_rate", "momentum", "test_accuracy", dark=True)
    assert [cell["value"] for cell in option["series"][0]["data"]] == [[0, 0, 5.0], [1, 1, 98.5]]
    assert (option["xAxis"]["data"], option["yAxis"]["data"]) == (["0.001", "0.1"], ["0", "0.9"])


def test_cell_of_words_has_the_lowest_loss() -> None:
    option = heat_map(EXPERIMENTS, "architecture", "architecture", "best_loss", dark=True)
    assert [cell["value"] for cell in option["series"][0]["data"]] == [[0, 0, 0.1], [1, 1, 0.5]]
    assert option["xAxis"]["data"] == ["lenet", "mlp"]


def test_cell_of_the_baseline_has_a_border() -> None:
    option = heat_map(
        EXPERIMENTS, "learning_rate", "momentum", "test_accuracy", baseline="a", dark=True
    )
    borders = {
        tuple(cell["value"][:2]): cell.get("itemStyle", {}).get("borderWidth")
        for cell in option["series"][0]["data"]
    }
    assert borders == {(0, 0): None, (1, 1): BASELINE_BORDER}


def test_many_values_are_rounded() -> None:
    many = pd.DataFrame(
        {
            "experiment": "many",
            "learning_rate": [0.1 + 0.001 * number for number in range(100)],
            "momentum": 0.0,
            "test_accuracy": 0.9,
        }
    )
    option = heat_map(many, "learning_rate", "momentum", "test_accuracy", dark=False)
    assert option["xAxis"]["data"] == ["0.1", "0.2"]


def test_heat_map_without_numbers_is_empty() -> None:
    for rows in (EXPERIMENTS.iloc[:0], EXPERIMENTS):
        option = heat_map(rows, "learning_rate", "momentum", "architecture", dark=False)
        assert option["series"][0]["data"] == []
