"""Scatter plot."""

from tests.unit.web.charts.test_hyperparameters import EXPERIMENTS
from web.charts.scatter import scatter


def test_scatter_skips_values_outside_its_log_axis() -> None:
    [series] = scatter(EXPERIMENTS)["series"]
    assert [(dot["name"], dot["value"]) for dot in series["data"]] == [
        ("a", [0.1, 90.0]),
        ("b", [0.1, 98.5]),
        ("c", [0.01, 50.0]),
    ]


def test_scatter_without_experiments_is_empty() -> None:
    assert scatter(EXPERIMENTS.iloc[:0])["series"][0]["data"] == []
