"""The columns that the leaderboard can show.

Those of every experiment, and whatever further ones any of them has. Pure.

A column's id is what a link holds. Further columns come from the CSV files as people name them, so
nothing is known of them: neither their names, nor whether one experiment has a number where another
one has a text.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import pandas as pd

# What is always there, by id: how a reader sees it. Its order is the one in which it is offered.
LABELS = {
    "champion": "Champion",
    "learning_rate": "Learning rate",
    "momentum": "Momentum",
    "task": "Task",
    "architecture": "Architecture",
    "outcome": "Outcome",
    "test_accuracy": "Test accuracy",
    "best_loss": "Best loss",
    "last_loss": "Last loss",
    "loss_curve": "Loss",
    "serving": "Serving",
}
# Of these, params and metrics hold what the columns of the same name show already.
SHOWN_ALREADY = ("architecture", "outcome", "test_accuracy")
TASK, OUTCOME = "task", "outcome"
EXPERIMENT = "experiment"  # leads every row, so nobody chooses it
# Added to the key of a further column that would pass for another one. No key has a bracket.
FROM_FILE = " (file)"
LARGEST_SHOWN = (
    2.0**53
)  # above it Streamlit's table shows an error: a browser's numbers are no longer exact there


def offered(keys: Collection[str], *, several_tasks: bool) -> list[str]:
    """Return the ids of all columns that can be shown.

    Those always there, then the further ones by name.

    Args:
        keys: those of params and metrics that any experiment has. An outcome is offered if any has
        one.
        several_tasks: whether there are, so that the task is worth a column.

    """
    useless = {
        column
        for column, is_useful in ((TASK, several_tasks), (OUTCOME, OUTCOME in keys))
        if not is_useful
    }
    return [
        *(column for column in LABELS if column not in useless),
        *sorted(_id(key) for key in keys if key not in SHOWN_ALREADY),
    ]


def usual(columns: Sequence[str]) -> list[str]:
    """Return those that are shown unless somebody chooses, of those that are offered."""
    return [column for column in columns if column in LABELS]


def label(column: str) -> str:
    """Return how a reader sees a column: batch_size -> Batch size."""
    return LABELS.get(column) or column[:1].upper() + column[1:].replace("_", " ")


def further(experiments: pd.DataFrame, column: str) -> "pd.Series[Any]":
    """Return a further column.

    Numbers if whatever it holds are numbers that a table can show, else texts.

    Integers are of pandas' Int64 and other numbers float64, so that they sort as numbers; where an
    experiment has nothing, NA.
    """
    key = column.removesuffix(FROM_FILE)
    values: list[Any] = [
        metrics.get(key, params.get(key))
        for params, metrics in zip(
            map(_mapping, experiments["params"]), map(_mapping, experiments["metrics"]), strict=True
        )
    ]
    present = [value for value in values if value is not None]
    if present and all(type(value) is int and abs(value) <= LARGEST_SHOWN for value in present):
        return pd.Series(values, index=experiments.index, dtype="Int64")
    if present and all(_is_number(value) for value in present):
        numbers = pd.Series(values, index=experiments.index, dtype="float64")
        return numbers.where(numbers.abs() < LARGEST_SHOWN)
    return pd.Series([_text(value) for value in values], index=experiments.index, dtype="object")


def _id(key: str) -> str:
    return key + FROM_FILE if key in LABELS or key == EXPERIMENT else key


def _mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}


def _is_number(value: object) -> bool:
    """Whether a value can stand in a column of floats.

    A whole number beyond what is exact there is somebody's id.
    """
    return type(value) is float or (type(value) is int and abs(value) <= LARGEST_SHOWN)


def _text(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)
