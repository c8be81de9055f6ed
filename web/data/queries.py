"""What the dashboard reads from Postgres. The only module that knows SQL."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

import pandas as pd
from sqlalchemy import URL, Connection, Engine, create_engine, text
from sqlalchemy.exc import OperationalError

from web.data.filter_language import Condition
from web.formatting import START_AGAIN
from web.settings import Settings

CONNECT_TIMEOUT_SECONDS = 3
STATEMENT_TIMEOUT_MILLISECONDS = 4000

# SQLSTATE codes, see appendix A of the manual of PostgreSQL.
UNDEFINED_TABLE = "42P01"
UNDEFINED_COLUMN = "42703"
INSUFFICIENT_PRIVILEGE = "42501"
QUERY_CANCELED = "57014"

# Newest first: "the latest" experiments are those with the highest id; behind them those that their
# file no longer has.
EXPERIMENTS = text(
    "SELECT name AS experiment, task FROM experiments ORDER BY missing_since IS NOT NULL, id DESC"
)

CURVES = text("""
    SELECT experiment_name AS experiment, step, value
    FROM loss_curves
    WHERE metric = :metric AND experiment_name = ANY(:experiments)
    ORDER BY experiment_name, step
""")

RUNS = text("""
    SELECT experiment_name AS experiment, task, learning_rate, momentum, test_accuracy, params
    FROM leaderboard
    WHERE experiment_name = ANY(:experiments)
    ORDER BY array_position(:experiments, experiment_name)
""")

# The most accurate of the task with the most experiments, of those that their file still has.
TOP = text("""
    SELECT experiment_name
    FROM leaderboard
    WHERE missing_since IS NULL AND test_accuracy IS NOT NULL AND task = (
        SELECT task FROM experiments GROUP BY task ORDER BY count(*) DESC, max(id) DESC LIMIT 1
    )
    ORDER BY test_accuracy DESC, experiment_id DESC
    LIMIT :count
""")

LAST_IMPORT = text("SELECT max(finished_at) FROM imports WHERE error IS NULL")

# What the latest import said of each file.
FILES = text("""
    SELECT DISTINCT ON (file) file, rows_rejected, error
    FROM imports
    ORDER BY file, id DESC
""")

REJECTS = text("""
    SELECT file, line, column_name, reason, last_seen_at
    FROM import_rejects
    WHERE resolved_at IS NULL
    ORDER BY file, line
""")


@dataclass(frozen=True)
class ImportedFile:
    """What the latest import of a file said.

    How many of its rows it rejected, and why it failed as a whole if it did.
    """

    file: str
    rows_rejected: int
    error: str | None


@dataclass(frozen=True)
class Snapshot:
    """One consistent look at the database.

    Attributes:
        experiments: experiment and task of all; newest first, those that no file has any more last.
        rejects: rows of the files that could not be read: file, line, column_name, reason,
        last_seen_at.
        imported_at: when data was last imported, None before the first time.
        files: what the latest import of each file said, by name.

    """

    experiments: pd.DataFrame
    rejects: pd.DataFrame
    imported_at: datetime | None
    files: tuple[ImportedFile, ...]

    @property
    def task_of(self) -> dict[str, str]:
        """The task of every experiment, newest first."""
        return dict(zip(self.experiments["experiment"], self.experiments["task"], strict=True))

    @property
    def import_errors(self) -> list[str]:
        """Why files could not be imported, one sentence or more for each."""
        return [file.error for file in self.files if file.error is not None]


def connect(settings: Settings) -> Engine:
    """Make the engine. No connection is opened before the first query."""
    url = URL.create(
        "postgresql+psycopg2",
        username=settings.database_user,
        password=settings.database_password,
        host=settings.database_host,
        port=settings.database_port,
        database=settings.database_name,
    )
    return create_engine(
        url,
        pool_pre_ping=True,
        pool_size=4,
        max_overflow=2,
        pool_timeout=CONNECT_TIMEOUT_SECONDS,
        connect_args={
            "connect_timeout": CONNECT_TIMEOUT_SECONDS,
            "application_name": "web",
            "options": f"-c statement_timeout={STATEMENT_TIMEOUT_MILLISECONDS} -c default_transaction_read_only=on",
        },
    )


def read_snapshot(engine: Engine) -> Snapshot:
    """Read what every page needs in one transaction.

    Raises:
        SQLAlchemyError: the database is down, is not set up, or refuses.

    """
    with engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
        experiments = pd.read_sql(EXPERIMENTS, connection)
        rejects = pd.read_sql(REJECTS, connection)
        imported_at = connection.execute(LAST_IMPORT).scalar()
        files = tuple(ImportedFile(*row) for row in connection.execute(FILES))
    return Snapshot(
        experiments=experiments,
        rejects=rejects,
        imported_at=imported_at,
        files=files,
    )


def read_curves(engine: Engine, metric: str, experiments: Sequence[str]) -> pd.DataFrame:
    """Read the curves of a metric: experiment, step, value; by experiment, then step.

    Raises:
        SQLAlchemyError: as read_snapshot.

    """
    with engine.connect() as connection:
        return pd.read_sql(
            CURVES, connection, params={"metric": metric, "experiments": list(experiments)}
        )


def read_runs(engine: Engine, experiments: Sequence[str]) -> pd.DataFrame:
    """Read experiment, task, learning_rate, momentum, test_accuracy (0..1) and params of the named
    ones that exist, in their order.

    Raises:
        SQLAlchemyError: as read_snapshot.

    """
    with engine.connect() as connection:
        runs = pd.read_sql(RUNS, connection, params={"experiments": list(experiments)})
    return numbers(runs, ("learning_rate", "momentum", "test_accuracy"))


def read_top(engine: Engine, count: int) -> list[str]:
    """Read the names of the most accurate experiments, the best first.

    Raises:
        SQLAlchemyError: as read_snapshot.

    """
    with engine.connect() as connection:
        return list(connection.execute(TOP, {"count": count}).scalars())


def numbers(frame: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    """Return the frame with these columns as floats, NULL as NaN (a column of nothing but NULL
    arrives as objects).
    """
    return frame.assign(
        **{column: pd.to_numeric(frame[column]).astype("float64") for column in columns}
    )


def describe(error: Exception, address: str) -> str:
    """Say in one sentence of markdown what is wrong with the database at address (host:port), and
    what to do.
    """
    where = f"Postgres at `{address}`"
    code = getattr(getattr(error, "orig", None), "pgcode", None)
    if code in (UNDEFINED_TABLE, UNDEFINED_COLUMN, INSUFFICIENT_PRIVILEGE):
        return f"{where} is up but not set up: {START_AGAIN}."
    if isinstance(error, TimeoutError) or code == QUERY_CANCELED:
        return f"{where} takes too long to answer."
    if isinstance(error, OperationalError):
        said = str(error.orig)
        if "authentication failed" in said or 'role "' in said:
            return f"{where} refuses the dashboard's user: check PGUSER and PGPASSWORD, then {START_AGAIN}."
        if 'database "' in said:
            return f"{where} has no such database: check PGDATABASE, then {START_AGAIN}."
        return f"{where} does not answer: start it with `make up` or `docker compose up`."
    return (
        f"{where} sent an answer that cannot be used; the log of the web service has the details."
    )


# The leaderboard: a page of rows, sorted and counted by Postgres, so that ten thousand experiments
# cost no more than a hundred.

PAGE_ROWS = 100
# A curve in a cell is some 100 pixels wide.
SPARK_POINTS = 20
NEWEST = "newest"
DEFAULT_SORT = "test_accuracy"
# What rows can be sorted by besides the keys of params and metrics.
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

KEYS = text("""
    SELECT jsonb_object_keys(params) AS key FROM experiments WHERE jsonb_typeof(params) = 'object'
    UNION
    SELECT jsonb_object_keys(metrics) FROM experiments WHERE jsonb_typeof(metrics) = 'object'
    ORDER BY key
""")

TOTALS = text("""
    SELECT task, count(*) FILTER (WHERE missing_since IS NULL) AS experiments, count(missing_since) AS gone,
           (array_agg(experiment_name ORDER BY test_accuracy DESC, experiment_id DESC)
               FILTER (WHERE missing_since IS NULL AND test_accuracy IS NOT NULL))[1] AS most_accurate,
           max(test_accuracy) FILTER (WHERE missing_since IS NULL) AS best_accuracy,
           min(test_accuracy) AS lowest_accuracy,
           (array_agg(experiment_name ORDER BY best_loss, experiment_id DESC)
               FILTER (WHERE missing_since IS NULL AND best_loss IS NOT NULL))[1] AS least_loss,
           min(best_loss) FILTER (WHERE missing_since IS NULL) AS lowest_loss
    FROM leaderboard
    GROUP BY task
""")

_COUNT = "SELECT count(*) FROM leaderboard WHERE {where}"

_ROWS = """
    SELECT experiment_id, experiment_name AS experiment, task, learning_rate, momentum, architecture, test_accuracy,
           params ->> 'outcome' AS outcome, best_loss, last_loss, missing_since, params, metrics,
           (task, experiment_name) IN (SELECT task, experiment_name FROM aliases WHERE alias = 'champion') AS champion,
           row_number() OVER (ORDER BY {order}) AS place
    FROM leaderboard
    WHERE {where}
    ORDER BY place
    LIMIT :limit OFFSET :offset
"""

# Of each curve the first point, the last one and those evenly between them.
_ROWS_WITH_CURVES = """
    WITH page AS MATERIALIZED ({rows})
    SELECT page.*, ARRAY(
        SELECT point.value
        FROM metric_curves c CROSS JOIN LATERAL unnest(c.metric_values) WITH ORDINALITY AS point (value, number)
        WHERE c.experiment_id = page.experiment_id AND c.metric = 'loss'
          AND (number = 1 OR (number - 1) * :gaps / greatest(c.points - 1, 1) <> (number - 2) * :gaps / greatest(c.points - 1, 1))
        ORDER BY number
    ) AS loss_curve
    FROM page
    ORDER BY place
"""


@dataclass(frozen=True)
class LeaderboardQuery:
    """Which experiments the leaderboard shows, and in which order.

    Attributes:
        names: a free choice, it wins over everything else.
        condition: a filter, it wins over latest.
        task: of which task, unless they are chosen by name; None for all.
        latest: how many of the newest; None for all.
        sort: an id of SORTS, or a key of params and metrics. Experiments of one task stand
        together, those without a value last.
        descending: the highest first.

    """

    names: tuple[str, ...] = ()
    condition: Condition | None = None
    task: str | None = None
    latest: int | None = None
    sort: str = DEFAULT_SORT
    descending: bool = True


@dataclass(frozen=True)
class TaskSummary:
    """A task in one line.

    Its experiments that a file still has, how many no file has, and who leads; None where nobody
    does.
    """

    task: str
    experiments: int
    gone: int
    most_accurate: str | None
    best_accuracy: float | None
    lowest_accuracy: float | None
    least_loss: str | None
    lowest_loss: float | None


@dataclass(frozen=True)
class LeaderboardPage:
    """One page of the leaderboard.

    Attributes:
        rows: experiment, task, learning_rate, momentum, architecture, test_accuracy (0..1),
        outcome, best_loss, last_loss,
            missing_since, params and metrics (further columns by their names), champion (whether it
            is its task's), loss_curve
            (its values, at most SPARK_POINTS); at most PAGE_ROWS in the order of the view.
        page: which page it is, from 1 on: the last one where the one asked for is beyond it.
        matching: how many experiments the view has on all pages.
        totals: every task.

    """

    rows: pd.DataFrame
    page: int
    matching: int
    totals: tuple[TaskSummary, ...]

    @property
    def pages(self) -> int:
        """How many pages there are, at least one."""
        return max(1, -(-self.matching // PAGE_ROWS))

    def among(self, task: str | None) -> int:
        """Return how many experiments a task has in all, or all tasks together."""
        return sum(
            total.experiments + total.gone for total in self.totals if task in (None, total.task)
        )


def read_keys(engine: Engine) -> list[str]:
    """Read the keys of params and metrics that any experiment has, in alphabetical order.

    Raises as read_snapshot.
    """
    with engine.connect() as connection:
        return [str(key) for (key,) in connection.execute(KEYS)]


def read_leaderboard(engine: Engine, view: LeaderboardQuery, page: int) -> LeaderboardPage:
    """Read a page of a view, and how many experiments there are. Raises as read_snapshot."""
    where, parameters = _where(view)
    with engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
        matching = int(
            connection.execute(text(_COUNT.replace("{where}", where)), parameters).scalar_one()
        )
        totals = tuple(TaskSummary(*row) for row in connection.execute(TOTALS))
        page = max(1, min(page, -(-matching // PAGE_ROWS)))
        bounds = {"limit": PAGE_ROWS, "offset": (page - 1) * PAGE_ROWS, "gaps": SPARK_POINTS - 1}
        rows = _read_rows(connection, view, _ROWS_WITH_CURVES.replace("{rows}", _ROWS), bounds)
    return LeaderboardPage(rows=rows, page=page, matching=matching, totals=totals)


def read_matching(engine: Engine, view: LeaderboardQuery) -> pd.DataFrame:
    """Read all experiments of a view in its order; columns as LeaderboardPage.rows but for loss_curve.

    Raises as read_snapshot.
    """
    with engine.connect() as connection:
        return _read_rows(connection, view, _ROWS, {"limit": None, "offset": 0})


def read_points(engine: Engine, view: LeaderboardQuery, limit: int) -> pd.DataFrame:
    """Read the first experiments of a view: experiment, task and NUMBERS. Raises as read_snapshot."""
    with engine.connect() as connection:
        return _read_rows(connection, view, _ROWS, {"limit": limit, "offset": 0})[
            ["experiment", "task", *NUMBERS]
        ]


def _read_rows(
    connection: Connection, view: LeaderboardQuery, statement: str, bounds: Mapping[str, int | None]
) -> pd.DataFrame:
    where, parameters = _where(view)
    bound = {**parameters, **bounds, **({} if view.sort in SORTS else {"sort": view.sort})}
    query = text(statement.replace("{where}", where).replace("{order}", _order(view)))
    return numbers(pd.read_sql(query.bindparams(**bound), connection), NUMBERS).drop(
        columns=["experiment_id", "place"]
    )


def _where(view: LeaderboardQuery) -> tuple[str, dict[str, object]]:
    """Return the condition of a view and its parameters."""
    if view.names:
        return "experiment_name = ANY(:names)", {"names": list(view.names)}
    of_task = "TRUE" if view.task is None else "task = :task"
    parameters: dict[str, object] = {} if view.task is None else {"task": view.task}
    if view.condition is not None:
        return f"{of_task} AND {view.condition.sql}", {
            **parameters,
            **dict(view.condition.parameters),
        }
    if view.latest is None:
        return of_task, parameters
    newest = f"SELECT id FROM experiments WHERE {of_task} ORDER BY missing_since IS NOT NULL, id DESC LIMIT :latest"
    return f"experiment_id IN ({newest})", {**parameters, "latest": view.latest}


def _order(view: LeaderboardQuery) -> str:
    """Return the order of a view.

    What is no number in one experiment, and is in another, comes behind the numbers.
    """
    direction = "DESC" if view.descending else "ASC"
    by = [SORTS[view.sort]] if view.sort in SORTS else _key_order()
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
