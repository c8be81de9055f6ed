"""SQL queries of the leaderboard: filter, order, pages, sparklines and task summaries.

Postgres sorts and counts, so that 10,000 experiments cost no more than 100.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd
from sqlalchemy import Connection, Engine, text

from web.data.filter_language import Condition
from web.data.leaderboard.statements import (
    COLUMN_KEYS,
    COUNT,
    DEFAULT_SORT,
    NUMBERS,
    ROWS,
    ROWS_WITH_SPARKLINES,
    SORTS,
    TASK_SUMMARIES,
)
from web.data.queries import as_floats

PAGE_ROWS = 100
# A sparkline is about 100 pixels wide.
SPARKLINE_POINTS = 20


@dataclass(frozen=True)
class LeaderboardQuery:
    """Selection and order of the experiments on the leaderboard.

    Attributes:
        names: picked experiments. They take precedence over condition, task and latest.
        condition: filter. It takes precedence over latest.
        task: only experiments of this task, None for all tasks.
        latest: number of newest experiments, None for all.
        sort: a key of SORTS, or a key of params and metrics. Experiments of one task stay
            together, and those without a value come last.
        descending: whether the highest value comes first.
        archived: whether archived experiments are included. Picked ones always are.

    """

    names: tuple[str, ...] = ()
    condition: Condition | None = None
    task: str | None = None
    latest: int | None = None
    sort: str = DEFAULT_SORT
    descending: bool = True
    archived: bool = False


@dataclass(frozen=True)
class TaskSummary:
    """Counts and best results of a task. Fields match the columns of TASK_SUMMARIES.

    Attributes:
        task: name of the task.
        experiments: number of experiments that are in their file.
        removed: number of experiments that are missing from their file.
        most_accurate_experiment, best_accuracy: the best accuracy, 0 to 1, None without any.
        quartile_accuracy: accuracy that three quarters of the experiments reach, 0 to 1, None
            without any.
        lowest_loss_experiment, lowest_loss: the lowest training loss, None without any.
        lowest_validation_loss_experiment, lowest_validation_loss: as above for validation.

    """

    task: str
    experiments: int
    removed: int
    most_accurate_experiment: str | None
    best_accuracy: float | None
    quartile_accuracy: float | None
    lowest_loss_experiment: str | None
    lowest_loss: float | None
    lowest_validation_loss_experiment: str | None = None
    lowest_validation_loss: float | None = None


@dataclass(frozen=True)
class LeaderboardPage:
    """One page of the leaderboard.

    Attributes:
        rows: at most PAGE_ROWS experiments in the order of the query: experiment, task,
            learning_rate, momentum, architecture, test_accuracy (0 to 1), outcome,
            best_validation_loss, best_loss, last_loss, state (silent included), source, project,
            owner, tags (one text), started_at, missing_since, archived_at, params, metrics,
            champion (bool) and loss_curve (at most SPARKLINE_POINTS values).
        page: page number from 1; the last page if the requested one does not exist.
        matching_count: number of experiments on all pages.
        task_summaries: summary of every task.

    """

    rows: pd.DataFrame
    page: int
    matching_count: int
    task_summaries: tuple[TaskSummary, ...]

    @property
    def page_count(self) -> int:
        """Number of pages, at least 1."""
        return max(1, -(-self.matching_count // PAGE_ROWS))

    def experiment_count(self, task: str | None) -> int:
        """Return the number of experiments of a task, or of all tasks for None."""
        return sum(
            summary.experiments + summary.removed
            for summary in self.task_summaries
            if task in (None, summary.task)
        )


def read_column_keys(engine: Engine) -> list[str]:
    """Read the keys of params and metrics of all experiments, in alphabetical order.

    Raises:
        SQLAlchemyError: as queries.read_snapshot.

    """
    with engine.connect() as connection:
        return [str(key) for (key,) in connection.execute(COLUMN_KEYS)]


def read_leaderboard(engine: Engine, query: LeaderboardQuery, page: int) -> LeaderboardPage:
    """Read one page of the leaderboard with all counts, in one transaction.

    Raises:
        SQLAlchemyError: as queries.read_snapshot.

    """
    where, parameters = where_clause(query)
    with engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
        count = text(COUNT.replace("{where}", where))
        matching_count = int(connection.execute(count, parameters).scalar_one())
        found = connection.execute(TASK_SUMMARIES, {"archived": query.archived})
        summaries = tuple(TaskSummary(*row) for row in found)
        page = max(1, min(page, -(-matching_count // PAGE_ROWS)))
        bounds = {
            "limit": PAGE_ROWS,
            "offset": (page - 1) * PAGE_ROWS,
            "gaps": SPARKLINE_POINTS - 1,
        }
        statement = ROWS_WITH_SPARKLINES.replace("{rows}", ROWS)
        rows = _read_rows(connection, query, statement, bounds)
    return LeaderboardPage(rows, page, matching_count, summaries)


def read_all_rows(engine: Engine, query: LeaderboardQuery) -> pd.DataFrame:
    """Read all experiments of a query, with the columns of LeaderboardPage.rows but loss_curve.

    Raises:
        SQLAlchemyError: as queries.read_snapshot.

    """
    with engine.connect() as connection:
        return _read_rows(connection, query, ROWS, {"limit": None, "offset": 0})


def _read_rows(
    connection: Connection,
    query: LeaderboardQuery,
    statement: str,
    bounds: Mapping[str, int | None],
) -> pd.DataFrame:
    where, parameters = where_clause(query)
    order, ordering = order_by(query)
    bound = {**parameters, **bounds, **ordering}
    select = text(statement.replace("{where}", where).replace("{order}", order))
    return as_floats(pd.read_sql(select.bindparams(**bound), connection), NUMBERS).drop(
        columns=["experiment_id", "row_position"]
    )


def where_clause(query: LeaderboardQuery) -> tuple[str, dict[str, object]]:
    """Return the SQL condition of a query and its parameters."""
    if query.names:
        return "experiment_name = ANY(:names)", {"names": list(query.names)}
    of_task = "TRUE" if query.task is None else "task = :task"
    if not query.archived:
        of_task += " AND archived_at IS NULL"
    parameters: dict[str, object] = {} if query.task is None else {"task": query.task}
    if query.condition is not None:
        return (
            f"{of_task} AND {query.condition.sql}",
            {**parameters, **dict(query.condition.parameters)},
        )
    if query.latest is None:
        return of_task, parameters
    newest = (
        f"SELECT id FROM experiments WHERE {of_task}"
        " ORDER BY missing_since IS NOT NULL, id DESC LIMIT :latest"
    )
    return f"experiment_id IN ({newest})", {**parameters, "latest": query.latest}


def order_by(query: LeaderboardQuery) -> tuple[str, dict[str, object]]:
    """Return the ORDER BY list of a query and its parameters.

    In a mixed column, texts come after the numbers.
    """
    direction = "DESC" if query.descending else "ASC"
    by = [SORTS[query.sort]] if query.sort in SORTS else _key_order()
    order = ", ".join(
        [
            "task",
            *(f"{expression} {direction} NULLS LAST" for expression in by),
            "experiment_id DESC",
        ]
    )
    return order, {} if query.sort in SORTS else {"sort": query.sort}


def _key_order() -> list[str]:
    value = "coalesce(metrics -> CAST(:sort AS text), params -> CAST(:sort AS text))"
    as_text = f"{value} #>> '{{}}'"
    return [
        f"CASE jsonb_typeof({value}) WHEN 'number' THEN CAST({as_text} AS numeric) END",
        as_text,
    ]
