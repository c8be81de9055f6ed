"""SQL queries of the leaderboard: filter, order, pages, sparklines and task summaries.

Postgres sorts and counts, so that 10,000 experiments cost no more than 100.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import pandas as pd
from sqlalchemy import Connection, Engine, text

from web.data.filter_language import Condition
from web.data.queries import as_floats

PAGE_ROWS = 100
# A sparkline is about 100 pixels wide.
SPARKLINE_POINTS = 20
NEWEST = "newest"
DEFAULT_SORT = "test_accuracy"
# Sort keys besides the keys of params and metrics, with their columns in the view leaderboard.
SORTS = {
    DEFAULT_SORT: "test_accuracy",
    "best_loss": "best_loss",
    "last_loss": "last_loss",
    "learning_rate": "learning_rate",
    "momentum": "momentum",
    "experiment": "experiment_name",
    "architecture": "architecture",
    NEWEST: "experiment_id",
}
NUMBERS = ("learning_rate", "momentum", "test_accuracy", "best_loss", "last_loss")

COLUMN_KEYS = text("""
    SELECT jsonb_object_keys(params) AS key FROM experiments WHERE jsonb_typeof(params) = 'object'
    UNION
    SELECT jsonb_object_keys(metrics) FROM experiments WHERE jsonb_typeof(metrics) = 'object'
    ORDER BY key
""")

TASK_SUMMARIES = text("""
    SELECT task,
           count(*) FILTER (WHERE missing_since IS NULL) AS experiments,
           count(missing_since) AS removed,
           (array_agg(experiment_name ORDER BY test_accuracy DESC, experiment_id DESC)
               FILTER (WHERE missing_since IS NULL AND test_accuracy IS NOT NULL))[1],
           max(test_accuracy) FILTER (WHERE missing_since IS NULL) AS best_accuracy,
           min(test_accuracy) AS lowest_accuracy,
           (array_agg(experiment_name ORDER BY best_loss, experiment_id DESC)
               FILTER (WHERE missing_since IS NULL AND best_loss IS NOT NULL))[1],
           min(best_loss) FILTER (WHERE missing_since IS NULL) AS lowest_loss
    FROM leaderboard
    GROUP BY task
""")

_COUNT = "SELECT count(*) FROM leaderboard WHERE {where}"

_ROWS = """
    SELECT experiment_id, experiment_name AS experiment, task, learning_rate, momentum,
           architecture, test_accuracy, params ->> 'outcome' AS outcome, best_loss, last_loss,
           missing_since, params, metrics,
           (task, experiment_name) IN (
               SELECT task, experiment_name FROM aliases WHERE alias = 'champion'
           ) AS champion,
           row_number() OVER (ORDER BY {order}) AS row_position
    FROM leaderboard
    WHERE {where}
    ORDER BY row_position
    LIMIT :limit OFFSET :offset
"""

# A sparkline has the first point of its curve, the last one, and points evenly between them.
_ROWS_WITH_SPARKLINES = """
    WITH page AS MATERIALIZED ({rows})
    SELECT page.*, ARRAY(
        SELECT point.value
        FROM metric_curves c
        CROSS JOIN LATERAL unnest(c.metric_values) WITH ORDINALITY AS point (value, number)
        WHERE c.experiment_id = page.experiment_id AND c.metric = 'loss'
          AND (number = 1
               OR (number - 1) * :gaps / greatest(c.points - 1, 1)
                  <> (number - 2) * :gaps / greatest(c.points - 1, 1))
        ORDER BY number
    ) AS loss_curve
    FROM page
    ORDER BY row_position
"""


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

    """

    names: tuple[str, ...] = ()
    condition: Condition | None = None
    task: str | None = None
    latest: int | None = None
    sort: str = DEFAULT_SORT
    descending: bool = True


@dataclass(frozen=True)
class TaskSummary:
    """Counts and best results of a task. Fields match the columns of TASK_SUMMARIES.

    Attributes:
        task: name of the task.
        experiments: number of experiments that are in their file.
        removed: number of experiments that are missing from their file.
        most_accurate_experiment, best_accuracy: the best accuracy, 0 to 1, None without any.
        lowest_accuracy: 0 to 1, None without any.
        lowest_loss_experiment, lowest_loss: the lowest loss, None without any.

    """

    task: str
    experiments: int
    removed: int
    most_accurate_experiment: str | None
    best_accuracy: float | None
    lowest_accuracy: float | None
    lowest_loss_experiment: str | None
    lowest_loss: float | None


@dataclass(frozen=True)
class LeaderboardPage:
    """One page of the leaderboard.

    Attributes:
        rows: at most PAGE_ROWS experiments in the order of the query: experiment, task,
            learning_rate, momentum, architecture, test_accuracy (0 to 1), outcome, best_loss,
            last_loss, missing_since, params, metrics, champion (bool) and loss_curve (at most
            SPARKLINE_POINTS values).
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
    where, parameters = _where(query)
    with engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
        count = text(_COUNT.replace("{where}", where))
        matching_count = int(connection.execute(count, parameters).scalar_one())
        summaries = tuple(TaskSummary(*row) for row in connection.execute(TASK_SUMMARIES))
        page = max(1, min(page, -(-matching_count // PAGE_ROWS)))
        bounds = {
            "limit": PAGE_ROWS,
            "offset": (page - 1) * PAGE_ROWS,
            "gaps": SPARKLINE_POINTS - 1,
        }
        statement = _ROWS_WITH_SPARKLINES.replace("{rows}", _ROWS)
        rows = _read_rows(connection, query, statement, bounds)
    return LeaderboardPage(rows, page, matching_count, summaries)


def read_all_rows(engine: Engine, query: LeaderboardQuery) -> pd.DataFrame:
    """Read all experiments of a query, with the columns of LeaderboardPage.rows but loss_curve.

    Raises:
        SQLAlchemyError: as queries.read_snapshot.

    """
    with engine.connect() as connection:
        return _read_rows(connection, query, _ROWS, {"limit": None, "offset": 0})


def read_points(engine: Engine, query: LeaderboardQuery, limit: int) -> pd.DataFrame:
    """Read the first experiments of a query for a chart: experiment, task and NUMBERS.

    Raises:
        SQLAlchemyError: as queries.read_snapshot.

    """
    with engine.connect() as connection:
        rows = _read_rows(connection, query, _ROWS, {"limit": limit, "offset": 0})
    return rows[["experiment", "task", *NUMBERS]]


def _read_rows(
    connection: Connection,
    query: LeaderboardQuery,
    statement: str,
    bounds: Mapping[str, int | None],
) -> pd.DataFrame:
    where, parameters = _where(query)
    bound = {**parameters, **bounds, **({} if query.sort in SORTS else {"sort": query.sort})}
    select = text(statement.replace("{where}", where).replace("{order}", _order(query)))
    return as_floats(pd.read_sql(select.bindparams(**bound), connection), NUMBERS).drop(
        columns=["experiment_id", "row_position"]
    )


def _where(query: LeaderboardQuery) -> tuple[str, dict[str, object]]:
    """Return the SQL condition of a query and its parameters."""
    if query.names:
        return "experiment_name = ANY(:names)", {"names": list(query.names)}
    of_task = "TRUE" if query.task is None else "task = :task"
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


def _order(query: LeaderboardQuery) -> str:
    """Return the ORDER BY list of a query. In a mixed column, texts come after the numbers."""
    direction = "DESC" if query.descending else "ASC"
    by = [SORTS[query.sort]] if query.sort in SORTS else _key_order()
    return ", ".join(
        [
            "task",
            *(f"{expression} {direction} NULLS LAST" for expression in by),
            "experiment_id DESC",
        ]
    )


def _key_order() -> list[str]:
    value = "coalesce(metrics -> CAST(:sort AS text), params -> CAST(:sort AS text))"
    as_text = f"{value} #>> '{{}}'"
    return [
        f"CASE jsonb_typeof({value}) WHEN 'number' THEN CAST({as_text} AS numeric) END",
        as_text,
    ]
