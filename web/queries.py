"""What the dashboard reads from Postgres. The only module that knows SQL."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import pandas as pd
from sqlalchemy import URL, Engine, create_engine, text
from sqlalchemy.exc import OperationalError

from web.settings import Settings
from web.wording import START_AGAIN

CONNECT_TIMEOUT_SECONDS = 3
STATEMENT_TIMEOUT_MILLISECONDS = 4000

# SQLSTATE codes, see appendix A of the manual of PostgreSQL.
UNDEFINED_TABLE = "42P01"
UNDEFINED_COLUMN = "42703"
INSUFFICIENT_PRIVILEGE = "42501"
QUERY_CANCELED = "57014"

# Newest first: "the latest" experiments are those with the highest id; behind them those that their file no longer has.
EXPERIMENTS = text("""
    SELECT experiment_name AS experiment, task, learning_rate, momentum, architecture, test_accuracy,
           params ->> 'outcome' AS outcome, best_loss, last_loss, missing_since, params, metrics
    FROM leaderboard
    ORDER BY missing_since IS NOT NULL, experiment_id DESC
""")

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
    """What the latest import of a file said: how many of its rows it rejected, and why it failed as a whole if it did."""

    file: str
    rows_rejected: int
    error: str | None


@dataclass(frozen=True)
class Snapshot:
    """One consistent look at the database.

    Attributes:
        experiments: experiment, task, learning_rate, momentum, architecture, test_accuracy (0..1), outcome, best_loss,
            last_loss, missing_since, params and metrics (further columns by their names); newest first, those that are
            missing last.
        rejects: rows of the files that could not be read: file, line, column_name, reason, last_seen_at.
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
    """Read everything but the curves in one transaction.

    Raises:
        SQLAlchemyError: the database is down, is not set up, or refuses.

    """
    with engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
        experiments = pd.read_sql(EXPERIMENTS, connection)
        rejects = pd.read_sql(REJECTS, connection)
        imported_at = connection.execute(LAST_IMPORT).scalar()
        files = tuple(ImportedFile(*row) for row in connection.execute(FILES))
    return Snapshot(
        experiments=numbers(experiments, ("learning_rate", "momentum", "test_accuracy", "best_loss", "last_loss")),
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
        return pd.read_sql(CURVES, connection, params={"metric": metric, "experiments": list(experiments)})


def read_runs(engine: Engine, experiments: Sequence[str]) -> pd.DataFrame:
    """Read experiment, task, learning_rate, momentum, test_accuracy (0..1) and params of the named ones that exist, in their order.

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
    """Return the frame with these columns as floats, NULL as NaN (a column of nothing but NULL arrives as objects)."""
    return frame.assign(**{column: pd.to_numeric(frame[column]).astype("float64") for column in columns})


def describe(error: Exception, address: str) -> str:
    """Say in one sentence of markdown what is wrong with the database at address (host:port), and what to do."""
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
    return f"{where} sent an answer that cannot be used; the log of the web service has the details."
