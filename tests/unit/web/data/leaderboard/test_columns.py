"""Columns of the leaderboard, built-in and extra ones."""

import math
from typing import Any

import pandas as pd
import pytest

from web.data.leaderboard.columns import (
    OPTIONAL,
    available_columns,
    column_title,
    default_columns,
    extra_column,
)

ODD = "größe_名前"


def experiments(*extra_values: tuple[dict[str, Any], dict[str, Any]]) -> pd.DataFrame:
    """Return experiments with these params and metrics."""
    return pd.DataFrame(
        {
            "params": [params for params, _ in extra_values],
            "metrics": [metrics for _, metrics in extra_values],
        }
    )


def values(column: str, *cells: Any) -> list[Any]:
    """Return the column of a parameter with these values, None for a missing one."""
    return list(
        extra_column(
            experiments(*[({} if cell is None else {column: cell}, {}) for cell in cells]), column
        )
    )


def test_every_param_and_metric_is_available() -> None:
    assert available_columns(["test_loss", "batch_size", ODD], has_several_tasks=False)[-3:] == [
        "batch_size",
        ODD,
        "test_loss",
    ]


def test_built_in_columns_come_first_and_are_default() -> None:
    columns = available_columns(
        ["batch_size", "architecture", "test_accuracy"], has_several_tasks=False
    )
    settings = ["champion", "learning_rate", "momentum", "architecture"]
    losses = ["best_validation_loss", "best_loss", "last_loss", "loss_curve"]
    always = [*settings, "state", "test_accuracy", *losses, "serving"]
    assert (columns, default_columns(columns)) == ([*always, *OPTIONAL, "batch_size"], always)


def test_every_loss_has_a_specific_title() -> None:
    """Runs log their last losses, too, which built-in columns show."""
    columns = available_columns(
        ["loss", "validation_loss", "test_loss", "accuracy"], has_several_tasks=False
    )
    assert [title for title in map(column_title, columns) if "oss" in title or "acc" in title] == [
        "Test accuracy",
        "Validation loss",
        "Best training loss",
        "Last training loss",
        "Training loss",
        "Training accuracy",
        "Test loss",
    ]


def test_task_and_outcome_are_available_if_useful() -> None:
    """The task with several tasks, the outcome if an experiment has one."""
    assert available_columns(["outcome"], has_several_tasks=True)[3:6] == [
        "task",
        "architecture",
        "outcome",
    ]


def test_extra_column_named_like_a_built_in_has_a_suffix() -> None:
    assert available_columns(["serving", "experiment", "best_loss"], has_several_tasks=False)[
        -3:
    ] == [
        "best_loss (file)",
        "experiment (file)",
        "serving (file)",
    ]
    table = experiments(({"serving": "on Mondays", "experiment": "first"}, {"best_loss": 0.5}))
    assert (
        list(extra_column(table, "serving (file)")),
        list(extra_column(table, "best_loss (file)")),
    ) == (
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
def test_column_has_a_readable_title(column: str, shown: str) -> None:
    assert column_title(column) == shown


def test_numbers_sort_as_numbers() -> None:
    table = experiments(({"size": 9}, {}), ({"size": 10}, {}), ({}, {}))
    assert list(extra_column(table, "size").sort_values().dropna()) == [9, 10]


def test_integers_stay_integers_with_missing_values() -> None:
    assert (
        values("size", 64, None)[0],
        str(extra_column(experiments(({"size": 64}, {}), ({}, {})), "size").dtype),
    ) == (64, "Int64")


def test_integers_and_floats_are_numbers() -> None:
    assert values("rate", 1, 0.5) == [1.0, 0.5]


def test_number_among_texts_is_a_text() -> None:
    assert values("size", 64, "many", None) == ["64", "many", None]


def test_integer_that_a_browser_would_round_is_a_text() -> None:
    assert values("build", 12345678901234567890, 1) == ["12345678901234567890", "1"]


def test_number_above_the_display_limit_is_missing() -> None:
    [shown, hidden] = values("loss", 0.5, 2e36)
    assert (shown, math.isnan(hidden)) == (0.5, True)


def test_nested_value_is_json() -> None:
    assert values("sizes", [1, 2], {"a": "ü"}, [True]) == ["[1, 2]", '{"a": "ü"}', "[true]"]


def test_metric_and_param_of_one_name_share_a_column() -> None:
    table = experiments(({"f1": "none"}, {}), ({}, {"f1": 0.9}))
    assert list(extra_column(table, "f1")) == ["none", "0.9"]


def test_column_without_values_is_empty() -> None:
    assert values("lost", None, None) == [None, None]


def test_seeds_and_times_are_the_last_columns() -> None:
    keys = ["seed", "trained_at", "seconds", "batch_size", "weight_decay", "fit_time", "zoom"]
    assert available_columns(keys, has_several_tasks=False)[-7:] == [
        "batch_size",
        "weight_decay",
        "zoom",
        "fit_time",
        "seconds",
        "seed",
        "trained_at",
    ]
