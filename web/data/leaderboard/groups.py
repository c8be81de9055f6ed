"""Groups of experiments: count, mean and spread of a result by the values of parameters."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any

import pandas as pd
from sqlalchemy import Engine, text

from web.data.filter_columns import Column, find_column
from web.data.leaderboard_queries import LeaderboardQuery, where_clause
from web.data.queries import as_floats

MAX_GROUPS = 500
# Names of a group that a link can have
MAX_NAMES = 100
STATISTICS = ("mean", "deviation", "lowest", "highest")

_GROUPS = """
    SELECT {groups}, count(*) AS runs, count(result) AS results, avg(result) AS mean,
           stddev_samp(result) AS deviation, min(result) AS lowest, max(result) AS highest,
           (array_agg(name ORDER BY name))[1:{max_names}] AS names,
           coalesce(bool_or(name = {baseline}), false) AS has_baseline
    FROM (
        SELECT experiment_name AS name, {values}, {result} AS result
        FROM leaderboard
        WHERE {where}
    ) AS runs
    GROUP BY {groups}
    ORDER BY mean DESC NULLS LAST, {groups}
    LIMIT {max_groups}
"""


@dataclass(frozen=True)
class GroupQuery:
    """Groups of the experiments of a query.

    Attributes:
        experiments: the experiments. Their order does not matter.
        by: columns whose values make the groups, at least one.
        result: column of the result.
        baseline: name of the pinned baseline, None without one.

    """

    experiments: LeaderboardQuery
    by: tuple[str, ...]
    result: str
    baseline: str | None = None


def read_groups(engine: Engine, query: GroupQuery, keys: Collection[str]) -> pd.DataFrame:
    """Read the groups, the highest mean first.

    Args:
        engine: the database.
        query: the groups.
        keys: keys of params and metrics of all experiments.

    Returns:
        One row per group, at most MAX_GROUPS: group_0, group_1, ... (JSON values, None without
        one), runs, results (runs that have the result), mean, deviation (sample standard deviation,
        NaN with less than two results), lowest, highest, names (at most MAX_NAMES), and
        has_baseline.

    Raises:
        ValueError: a column does not exist.
        SQLAlchemyError: as queries.read_snapshot.

    """
    where, parameters = where_clause(query.experiments)
    bind = Binder(parameters)
    values = [column_value(name, keys, bind) for name in query.by]
    groups = [f"group_{number}" for number in range(len(values))]
    statement = _GROUPS.format(
        groups=", ".join(groups),
        values=", ".join(
            f"{value} AS {group}" for value, group in zip(values, groups, strict=True)
        ),
        result=column_number(query.result, keys, bind),
        baseline="CAST(NULL AS text)" if query.baseline is None else bind(query.baseline),
        where=where,
        max_names=MAX_NAMES,
        max_groups=MAX_GROUPS,
    )
    with engine.connect() as connection:
        # SQLAlchemy reads a colon as a parameter.
        rows = connection.execute(text(statement.replace("[1:", "[1\\:")), bind.parameters)
        # Without a type, pandas would make integers of a column with missing ones floats.
        found = pd.DataFrame(rows.fetchall(), columns=list(rows.keys()), dtype="object")
    counts = found.astype({"runs": "int64", "results": "int64"})
    return as_floats(counts, STATISTICS)


class Binder:
    """Parameters of a statement.

    Args:
        parameters: those that it has already.

    """

    def __init__(self, parameters: dict[str, object]) -> None:
        self.parameters: dict[str, Any] = dict(parameters)

    def __call__(self, value: str) -> str:
        """Add a parameter and return its SQL."""
        name = f"column_{len(self.parameters)}"
        self.parameters[name] = value
        return f"CAST(:{name} AS text)"


def column_value(name: str, keys: Collection[str], bind: Callable[[str], str]) -> str:
    """Return SQL for the value of a column as jsonb. Raises ValueError for an unknown column."""
    column = _find(name, keys, bind)
    if column.kind == "key":
        return f"nullif({column.sql}, 'null')"
    return f"to_jsonb({column.sql})"


def column_number(name: str, keys: Collection[str], bind: Callable[[str], str]) -> str:
    """Return SQL for the value of a column as a number, null for a text.

    Raises ValueError for an unknown column.
    """
    column = _find(name, keys, bind)
    if column.kind == "number":
        return column.sql
    if column.kind == "text":
        return "CAST(NULL AS double precision)"
    return (
        f"CASE jsonb_typeof({column.sql}) WHEN 'number'"
        f" THEN CAST({column.sql} #>> '{{}}' AS double precision) END"
    )


def _find(name: str, keys: Collection[str], bind: Callable[[str], str]) -> Column:
    column = find_column(name, keys, bind)
    if column is None:
        raise ValueError(f"unknown column {name}")
    return column
