"""SQL queries that every page shares: snapshot, curves and runs."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import pandas as pd
from sqlalchemy import Engine, text

from web.data.leaderboard.statements import VALIDATION_LOSS
from web.data.monitoring.replicas import Served, read_served

# Newest first, that is by descending id. Experiments that are missing from their file come last.
EXPERIMENTS = text("""
    SELECT name AS experiment, task, archived_at IS NOT NULL AS archived
    FROM experiments
    ORDER BY missing_since IS NOT NULL, id DESC
""")

PREVIOUS_NAMES = text("""
    SELECT p.name, e.name FROM previous_names p JOIN experiments e ON e.id = p.experiment_id
""")

CURVES = text("""
    SELECT experiment_name AS experiment, step, value
    FROM loss_curves
    WHERE metric = :metric AND experiment_name = ANY(:experiments)
    ORDER BY experiment_name, step
""")

RUNS = text(
    """
    SELECT experiment_name AS experiment, task, learning_rate, momentum, test_accuracy,
           {validation_loss} AS best_validation_loss, best_loss, params
    FROM leaderboard
    WHERE experiment_name = ANY(:experiments)
    ORDER BY array_position(:experiments, experiment_name)
""".replace("{validation_loss}", VALIDATION_LOSS)
)

# The most accurate experiments of the largest task, except those that are missing from their file.
TOP = text("""
    SELECT experiment_name
    FROM leaderboard
    WHERE missing_since IS NULL AND archived_at IS NULL AND test_accuracy IS NOT NULL AND task = (
        SELECT task FROM experiments WHERE archived_at IS NULL
        GROUP BY task ORDER BY count(*) DESC, max(id) DESC LIMIT 1
    )
    ORDER BY test_accuracy DESC, experiment_id DESC
    LIMIT :count
""")

LAST_IMPORT = text("SELECT max(finished_at) FROM imports WHERE error IS NULL")

# The latest import of each file. That of a file that is gone has neither a digest nor an error.
FILES = text("""
    SELECT file, rows_rejected, error
    FROM (SELECT DISTINCT ON (file) * FROM imports ORDER BY file, id DESC) latest
    WHERE digest IS NOT NULL OR error IS NOT NULL
    ORDER BY file
""")

REJECTS = text("""
    SELECT file, line, column_name, reason, last_seen_at
    FROM import_rejects
    WHERE resolved_at IS NULL
    ORDER BY file, line
""")


@dataclass(frozen=True)
class ImportedFile:
    """Latest import of a file.

    Attributes:
        file: name of the file.
        rows_rejected: number of rejected rows.
        error: why the whole file failed, None if it did not.

    """

    file: str
    rows_rejected: int
    error: str | None


@dataclass(frozen=True)
class Snapshot:
    """Consistent state of the database, read in one transaction.

    Attributes:
        experiments: experiment, task and archived (bool); newest first, then those missing from
            their file.
        rejects: rejected rows: file, line, column_name, reason, last_seen_at.
        imported_at: time of the last successful import, None before the first one.
        files: latest import of each file, by name.
        renamed: current name of each previous name.
        served: model versions that the replicas of the inference service serve.

    """

    experiments: pd.DataFrame
    rejects: pd.DataFrame
    imported_at: datetime | None
    files: tuple[ImportedFile, ...]
    renamed: Mapping[str, str] = field(default_factory=dict)
    served: Served = field(default_factory=Served)

    @property
    def task_of(self) -> dict[str, str]:
        """Task of every experiment that is not archived, newest experiment first."""
        shown = self.experiments[~self.experiments["archived"].astype(bool)]
        return dict(zip(shown["experiment"], shown["task"], strict=True))

    @property
    def names(self) -> list[str]:
        """Names of all experiments, archived ones included, newest first."""
        return list(self.experiments["experiment"])

    @property
    def archived(self) -> set[str]:
        """Names of the archived experiments."""
        return set(self.experiments[self.experiments["archived"].astype(bool)]["experiment"])

    @property
    def other_names(self) -> dict[str, str]:
        """Experiment of every name that pickers do not list: archived and previous names."""
        archived = self.experiments[self.experiments["archived"].astype(bool)]["experiment"]
        return {**self.renamed, **{name: name for name in archived}}

    @property
    def import_errors(self) -> list[str]:
        """Errors of the files that could not be imported."""
        return [file.error for file in self.files if file.error is not None]


def read_snapshot(engine: Engine) -> Snapshot:
    """Read the data of every page in one transaction.

    Raises:
        SQLAlchemyError: the database is down, has no schema, or denies access.

    """
    with engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection:
        experiments = pd.read_sql(EXPERIMENTS, connection)
        rejects = pd.read_sql(REJECTS, connection)
        imported_at = connection.execute(LAST_IMPORT).scalar()
        files = tuple(ImportedFile(*row) for row in connection.execute(FILES))
        renamed = {str(old): str(new) for old, new in connection.execute(PREVIOUS_NAMES)}
        served = read_served(connection)
    return Snapshot(
        experiments=experiments,
        rejects=rejects,
        imported_at=imported_at,
        files=files,
        renamed=renamed,
        served=served,
    )


def read_curves(engine: Engine, metric: str, experiments: Sequence[str]) -> pd.DataFrame:
    """Read the curves of a metric: experiment, step, value, ordered by experiment and step.

    Raises:
        SQLAlchemyError: as read_snapshot.

    """
    with engine.connect() as connection:
        return pd.read_sql(
            CURVES, connection, params={"metric": metric, "experiments": list(experiments)}
        )


def read_runs(engine: Engine, experiments: Sequence[str]) -> pd.DataFrame:
    """Read the parameters and the accuracy of the given experiments, in their order.

    Returns:
        experiment, task, learning_rate, momentum, test_accuracy (0 to 1), best_validation_loss,
        best_loss and params. Unknown experiments have no row.

    Raises:
        SQLAlchemyError: as read_snapshot.

    """
    with engine.connect() as connection:
        runs = pd.read_sql(RUNS, connection, params={"experiments": list(experiments)})
    numbers = ("learning_rate", "momentum", "test_accuracy", "best_validation_loss", "best_loss")
    return as_floats(runs, numbers)


def read_top_experiments(engine: Engine, count: int) -> list[str]:
    """Read the names of the most accurate experiments of the largest task, best first.

    Raises:
        SQLAlchemyError: as read_snapshot.

    """
    with engine.connect() as connection:
        return list(connection.execute(TOP, {"count": count}).scalars())


def as_floats(frame: pd.DataFrame, columns: Sequence[str]) -> pd.DataFrame:
    """Return the frame with these columns as float64, NULL as NaN.

    pandas reads a column that contains only NULL as objects.
    """
    return frame.assign(
        **{column: pd.to_numeric(frame[column]).astype("float64") for column in columns}
    )
