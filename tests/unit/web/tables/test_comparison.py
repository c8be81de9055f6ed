"""Tables of the Compare page."""

import math

import pandas as pd
import pytest

from web.tables.comparison import (
    MISSING,
    best_and_last,
    collect_parameters,
    parameter_table,
    result_table,
    split_noise,
)


def curves(**values: list[tuple[int, float]]) -> pd.DataFrame:
    return pd.DataFrame(
        [(name, step, value) for name, points in values.items() for step, value in points],
        columns=["experiment", "step", "value"],
    )


def runs(*rows: tuple[str, str, float, dict[str, object]]) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=["experiment", "task", "test_accuracy", "params"])
    return table.assign(learning_rate=0.1, momentum=0.9)


def test_best_value_is_the_first_lowest_one() -> None:
    """A run without a curve keeps its row."""
    table = best_and_last(
        curves(a=[(0, 3.0), (1, 1.0), (2, 1.0), (3, 2.0)], bad=[(0, math.inf)]),
        ["none", "a", "bad"],
    )
    assert list(table.loc["a"]) == [1.0, 1, 2.0, 3]
    assert table.loc["none"].isna().all()
    assert table["best"].isna().to_dict() == {"none": True, "a": False, "bad": True}


def test_changes_are_within_the_baseline_task_only() -> None:
    found = result_table(
        runs(("a", "digits", 0.98, {}), ("b", "digits", 0.99, {}), ("odd", "parity", 0.5, {})),
        curves(a=[(0, 2.0), (1, 0.5)], b=[(0, 1.0), (1, 0.25)], odd=[(0, 1.0)]),
        "a",
    ).set_index("experiment")
    assert list(found.loc["b", ["accuracy_change", "best_change", "last_change"]]) == pytest.approx(
        [1.0, -0.25, -0.25]
    )
    assert found.loc["odd", ["accuracy_change", "best_change", "last_change"]].isna().all()


def test_only_differences_are_shown_with_their_distance() -> None:
    parameters = collect_parameters(
        runs(
            ("a", "t", 1.0, {"batch": 32, "same": 1, "note": "x"}),
            ("b", "t", 1.0, {"batch": 16, "same": 1.0, "flag": True}),
        )
    )
    table = parameter_table(parameters, "b", only_differences=True)
    assert list(table.columns) == ["b", "a"]
    assert {key: list(table.loc[key]) for key in table.index} == {
        "batch": ["16", "32 (+16)"],
        "flag": ["true", MISSING],
        "note": [MISSING, "x"],
    }


def test_all_parameters_start_with_the_learning_rate() -> None:
    table = parameter_table(
        collect_parameters(runs(("a", "t", 1.0, {"batch": 32}))), "a", only_differences=False
    )
    assert list(table.index) == ["learning_rate", "momentum", "batch"]


def test_seeds_and_times_are_apart() -> None:
    keys = {
        "seed": 1,
        "trained_at": "today",
        "seconds": 3.5,
        "batch": 8,
        "seedling": 1,
        "epochs": 3,
    }
    table = parameter_table(
        collect_parameters(runs(("a", "t", 1.0, dict[str, object](keys)))),
        "a",
        only_differences=False,
    )
    settings, apart = split_noise(table)
    assert list(settings.index) == ["learning_rate", "momentum", "batch", "epochs", "seedling"]
    assert list(apart.index) == ["seconds", "seed", "trained_at"]
