"""Columns of the leaderboard: built-in ones, and extra ones from the CSV files.

To add a built-in column, extend COLUMNS here, its SQL in data/leaderboard/statements.py, its values
in tables/leaderboard_table.py and its display in views/leaderboard/column_config.py.

A column's id is part of a link. Extra columns come from the CSV files, so their names are arbitrary
and one column may hold numbers and texts.
"""

import json
from collections.abc import Collection, Mapping, Sequence
from typing import Any

import pandas as pd

# Id and title of the built-in columns, in their order.
COLUMNS = {
    "champion": "Champion",
    "learning_rate": "Learning rate",
    "momentum": "Momentum",
    "task": "Task",
    "architecture": "Architecture",
    "outcome": "Outcome",
    "state": "State",
    "test_accuracy": "Test accuracy",
    "best_validation_loss": "Validation loss",
    "best_loss": "Best training loss",
    "last_loss": "Last training loss",
    "loss_curve": "Training loss",
    "serving": "Serving",
    "source": "Source",
    "project": "Project",
    "owner": "Owner",
    "tags": "Tags",
    "started_at": "Started",
}
# Columns that the table does not have by default
OPTIONAL = ("source", "project", "owner", "tags", "started_at")
# Keys of params and metrics that built-in columns show.
BUILT_IN_KEYS = ("architecture", "outcome", "test_accuracy", "loss", "validation_loss")
# Titles of metrics whose keys are not specific
_METRIC_TITLES = {"accuracy": "Training accuracy"}
TASK, OUTCOME, STATE = "task", "outcome", "state"
EXPERIMENT = "experiment"  # leads every row, so it cannot be chosen
# Words of keys that differ between equal runs: random seeds, times and machines
_NOISE_WORDS = frozenset(
    {"seed", "seconds", "minutes", "hours", "duration", "elapsed", "runtime", "timestamp", "date"}
    | {"hostname", "host", "pid", "uuid"}
)
_NOISE_ENDS = ("_at", "_time")
# Distinguishes an extra column from a built-in one of the same name. Keys have no parentheses.
FILE_SUFFIX = " (file)"
# Above it Streamlit's table shows an error, because a browser's numbers are not exact there.
MAX_DISPLAY_VALUE = 2.0**53


def available_columns(keys: Collection[str], *, has_several_tasks: bool) -> list[str]:
    """Return the ids of all columns: built-in ones, then extra ones by name, noise last.

    Args:
        keys: keys of params and metrics of all experiments. The outcome is available if it is one.
        has_several_tasks: whether the task is worth a column.

    """
    hidden = {
        column
        for column, is_useful in ((TASK, has_several_tasks), (OUTCOME, OUTCOME in keys))
        if not is_useful
    }
    return [
        *(column for column in COLUMNS if column not in hidden),
        *sorted(
            (_column_id(key) for key in keys if key not in BUILT_IN_KEYS),
            key=lambda column: (is_noise(column), column),
        ),
    ]


def is_noise(key: str) -> bool:
    """Return whether a key names a seed, a time or a machine rather than a setting."""
    words = key.lower().removesuffix(FILE_SUFFIX)
    return words.endswith(_NOISE_ENDS) or not _NOISE_WORDS.isdisjoint(words.split("_"))


def default_columns(available: Sequence[str]) -> list[str]:
    """Return the available columns that the table shows by default."""
    return [column for column in available if column in COLUMNS and column not in OPTIONAL]


def column_title(column: str) -> str:
    """Return the title of a column: batch_size -> Batch size."""
    title = COLUMNS.get(column) or _METRIC_TITLES.get(column)
    return title or column[:1].upper() + column[1:].replace("_", " ")


def is_share(column: str) -> bool:
    """Return whether a column has fractions that are shown in percent: an accuracy."""
    return "accuracy" in column.split("_")


def is_lower_better(column: str) -> bool:
    """Return whether the lowest value of a column is the best one: a loss or an error."""
    return not {"loss", "error"}.isdisjoint(column.split("_"))


def extra_column(experiments: pd.DataFrame, column: str) -> "pd.Series[Any]":
    """Return the values of an extra column, None or NA where an experiment has none.

    Args:
        experiments: params and metrics of each experiment.
        column: id of the column.

    Returns:
        Int64 if all values are integers and float64 if all are numbers, so that they sort as
        numbers. Otherwise texts.

    """
    key = column.removesuffix(FILE_SUFFIX)
    values: list[Any] = [
        metrics.get(key, params.get(key))
        for params, metrics in zip(
            map(_as_mapping, experiments["params"]),
            map(_as_mapping, experiments["metrics"]),
            strict=True,
        )
    ]
    present = [value for value in values if value is not None]
    if present and all(type(value) is int and abs(value) <= MAX_DISPLAY_VALUE for value in present):
        return pd.Series(values, index=experiments.index, dtype="Int64")
    if present and all(_is_number(value) for value in present):
        numbers = pd.Series(values, index=experiments.index, dtype="float64")
        return numbers.where(numbers.abs() < MAX_DISPLAY_VALUE)
    return pd.Series([_as_text(value) for value in values], index=experiments.index, dtype="object")


def _column_id(key: str) -> str:
    return key + FILE_SUFFIX if key in COLUMNS or key == EXPERIMENT else key


def _as_mapping(value: object) -> Mapping[str, object]:
    return value if isinstance(value, Mapping) else {}


def _is_number(value: object) -> bool:
    """Return whether a value fits a column of floats. A larger integer is probably an id."""
    return type(value) is float or (type(value) is int and abs(value) <= MAX_DISPLAY_VALUE)


def _as_text(value: object) -> str | None:
    if value is None or isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False)
