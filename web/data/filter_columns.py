"""Columns of the filter language: names, synonyms and SQL expressions."""

import difflib
import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Literal

from web.data.filter_tokens import KEYWORDS
from web.data.leaderboard.columns import FILE_SUFFIX
from web.data.leaderboard.statements import STATE, TAGS, VALIDATION_LOSS

# Columns of every experiment, by their names in the view leaderboard, with their synonyms.
_NUMBERS = {
    "learning_rate": ("lr",),
    "momentum": (),
    "test_accuracy": ("accuracy", "acc"),
    "best_validation_loss": ("validation_loss", "val_loss"),
    "best_loss": ("loss", "training_loss"),
    "last_loss": (),
}
_TEXTS = {
    "experiment": ("name", "experiment_name"),
    "task": (),
    "architecture": (),
    "outcome": (),
    "state": (),
    "source": (),
    "project": (),
    "owner": (),
    "tags": (),
}
# Prefix of the name of a tag: tag.dataset
TAG = "tag."
_COLUMN_OF = {
    name: column
    for column, synonyms in {**_NUMBERS, **_TEXTS}.items()
    for name in (column, *synonyms)
}
_SQL = {
    "experiment": "experiment_name",
    "outcome": "params ->> 'outcome'",
    "best_validation_loss": VALIDATION_LOSS,
    "state": STATE,
    "tags": TAGS,
}


@dataclass(frozen=True)
class Column:
    """Column that a filter names.

    Attributes:
        kind: number, text, or a key of params and metrics with any value.
        name: its name.
        sql: expression for its value: a number, a text, or jsonb for a key.

    """

    kind: Literal["number", "text", "key"]
    name: str
    sql: str


def column_names(keys: Collection[str]) -> list[str]:
    """Return the names of all columns. keys: the keys of params and metrics."""
    extra = sorted(key for key in keys if key not in _COLUMN_OF)
    return [*_NUMBERS, *_TEXTS, f"{TAG}KEY", *extra]


def column_key(title: str) -> str:
    """Return the key of a column title: Batch Size -> batch_size.

    The importer applies the same rule (db.csv.columns.column_key).
    """
    return re.sub(r"[\W_]+", "_", title.lower()).strip("_")


def find_column(title: str, keys: Collection[str], bind: Callable[[str], str]) -> Column | None:
    """Return the column with this name, synonym or title, None without one.

    Args:
        title: text of the filter.
        keys: the keys of params and metrics.
        bind: adds a parameter and returns its SQL.

    """
    name = column_key(title)
    if name in _COLUMN_OF:
        column = _COLUMN_OF[name]
        sql = _SQL.get(column, column)
        return Column("number" if column in _NUMBERS else "text", column, sql)
    if title.lower().startswith(TAG) and len(title) > len(TAG) and title not in keys:
        return Column("text", title, f"(tags ->> {bind(title[len(TAG) :])})")
    for key in (title, name, title.removesuffix(FILE_SUFFIX)):
        if key in keys:
            bound = bind(key)
            return Column("key", key, f"coalesce(metrics -> {bound}, params -> {bound})")
    return None


def suggest_column(title: str, keys: Collection[str]) -> str | None:
    """Return the most similar column as a filter accepts it, None without a similar one."""
    names = [*_COLUMN_OF, *keys]
    close = difflib.get_close_matches(column_key(title), names, n=1, cutoff=0.5)
    if not close:
        return None
    is_word = re.fullmatch(r"[^\W\d]\w*", close[0]) and close[0].lower() not in KEYWORDS
    return close[0] if is_word else quote(close[0])


def missing_sql(column: Column, *, is_missing: bool) -> str:
    """Return the SQL condition that a column has no value, or that it has one."""
    value = f"{column.sql} #>> '{{}}'" if column.kind == "key" else column.sql
    return f"({value} IS {'' if is_missing else 'NOT '}NULL)"


def quote(text: str) -> str:
    """Return a text as a filter accepts it, in quotes if needed."""
    return text if re.fullmatch(r"[\w.-]+", text) else "'" + text.replace("'", "''") + "'"
