"""The columns that the leaderboard can show, also those that nobody foresaw."""

import math
from typing import Any

import pandas as pd
import pytest

from web.tables.leaderboard_columns import further, label, offered, usual

ODD = "größe_名前"


def experiments(*further_columns: tuple[dict[str, Any], dict[str, Any]]) -> pd.DataFrame:
    """Experiments with these params and metrics."""
    return pd.DataFrame(
        {
            "params": [params for params, _ in further_columns],
            "metrics": [metrics for _, metrics in further_columns],
        }
    )


def values(column: str, *cells: Any) -> list[Any]:
    """What the table has for a parameter of these values, None standing for none."""
    return list(
        further(
            experiments(*[({} if cell is None else {column: cell}, {}) for cell in cells]), column
        )
    )


def test_every_param_and_metric_that_any_experiment_has_is_offered() -> None:
    assert offered(["test_loss", "batch_size", ODD], several_tasks=False)[-3:] == [
        "batch_size",
        ODD,
        "test_loss",
    ]


def test_what_is_always_there_comes_first_and_is_usual() -> None:
    columns = offered(["batch_size", "architecture", "test_accuracy"], several_tasks=False)
    settings = ["champion", "learning_rate", "momentum", "architecture"]
    always = [*settings, "test_accuracy", "best_loss", "last_loss", "loss_curve", "serving"]
    assert (columns, usual(columns)) == ([*always, "batch_size"], always)


def test_a_task_is_offered_only_where_there_are_several_and_an_outcome_only_where_one_has_one() -> (
    None
):
    assert offered(["outcome"], several_tasks=True)[3:6] == ["task", "architecture", "outcome"]


def test_a_further_column_that_is_named_like_another_one_is_told_apart() -> None:
    assert offered(["serving", "experiment", "best_loss"], several_tasks=False)[-3:] == [
        "best_loss (file)",
        "experiment (file)",
        "serving (file)",
    ]
    table = experiments(({"serving": "on Mondays", "experiment": "first"}, {"best_loss": 0.5}))
    assert (list(further(table, "serving (file)")), list(further(table, "best_loss (file)"))) == (
        ["on Mondays"],
        [0.5],
    )


@pytest.mark.parametrize(
    ("column", "shown"),
    [
        ("batch_size", "Batch size"),
        (ODD, "Größe 名前"),
        ("", ""),
        ("test_accuracy", "Test accuracy"),
    ],
)
def test_a_column_is_written_for_people(column: str, shown: str) -> None:
    assert label(column) == shown


def test_numbers_sort_as_numbers() -> None:
    table = experiments(({"size": 9}, {}), ({"size": 10}, {}), ({}, {}))
    assert list(further(table, "size").sort_values().dropna()) == [9, 10]


def test_whole_numbers_stay_whole_where_some_have_none() -> None:
    assert (
        values("size", 64, None)[0],
        str(further(experiments(({"size": 64}, {}), ({}, {})), "size").dtype),
    ) == (64, "Int64")


def test_whole_numbers_and_others_are_numbers_together() -> None:
    assert values("rate", 1, 0.5) == [1.0, 0.5]


def test_a_number_among_texts_is_a_text() -> None:
    assert values("size", 64, "many", None) == ["64", "many", None]


def test_a_whole_number_that_a_browser_would_round_is_a_text() -> None:
    assert values("build", 12345678901234567890, 1) == ["12345678901234567890", "1"]


def test_a_number_that_no_table_can_show_is_left_out() -> None:
    [shown, hidden] = values("loss", 0.5, 2e36)
    assert (shown, math.isnan(hidden)) == (0.5, True)


def test_what_is_no_single_value_is_written_as_json() -> None:
    assert values("sizes", [1, 2], {"a": "ü"}, [True]) == ["[1, 2]", '{"a": "ü"}', "[true]"]


def test_a_metric_of_one_experiment_and_a_param_of_another_are_one_column() -> None:
    table = experiments(({"f1": "none"}, {}), ({}, {"f1": 0.9}))
    assert list(further(table, "f1")) == ["none", "0.9"]


def test_a_column_that_nobody_has_is_empty() -> None:
    assert values("lost", None, None) == [None, None]
