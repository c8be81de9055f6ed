"""Parallel coordinates."""

from tests.unit.web.charts.test_hyperparameters import EXPERIMENTS
from web.charts.parallel_coordinates import parallel_coordinates


def test_parallel_coordinates_need_all_numbers() -> None:
    option = parallel_coordinates(EXPERIMENTS, dark=False)
    assert [line["name"] for line in option["series"][0]["data"]] == ["a", "b"]
    assert len(option["parallelAxis"]) == len(option["series"][0]["data"][0]["value"]) == 4


def test_parallel_coordinates_without_experiments_are_empty() -> None:
    option = parallel_coordinates(EXPERIMENTS.iloc[:0], dark=False)
    assert option["series"][0]["data"] == []
