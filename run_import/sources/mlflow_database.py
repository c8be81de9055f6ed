"""MLflow database `mlflow.db`: the SQLite file of an MLflow server."""

import math
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Final

from run_import.past_run import ImportRunsError, PastRun
from run_import.sources.mlflow_tags import NAME_TAG, NOTE_TAG, user_tags

MAGIC: Final = b"SQLite format 3\0"
EXPERIMENTS: Final = "SELECT name FROM experiments ORDER BY name"
RUNS: Final = """
SELECT r.run_uuid, r.name, e.name, r.start_time, r.end_time
FROM runs r JOIN experiments e ON e.experiment_id = r.experiment_id
WHERE r.lifecycle_stage = 'active' AND e.lifecycle_stage = 'active' AND (? IS NULL OR e.name = ?)
ORDER BY r.start_time, r.run_uuid
"""
PARAMS: Final = "SELECT key, value FROM params WHERE run_uuid = ?"
TAGS: Final = "SELECT key, value FROM tags WHERE run_uuid = ? AND value IS NOT NULL"
METRICS: Final = """
SELECT key, step, timestamp, value, is_nan FROM metrics WHERE run_uuid = ? ORDER BY key, step
"""


def is_database(path: Path) -> bool:
    """Return whether a file is an SQLite database."""
    with path.open("rb") as file:
        return file.read(len(MAGIC)) == MAGIC


def read_database(path: Path, experiment: str | None) -> Iterator[PastRun]:
    """Yield the active runs of an experiment, or of all. Raises ImportRunsError."""
    try:
        with closing(sqlite3.connect(f"{path.resolve().as_uri()}?mode=ro", uri=True)) as database:
            names = [name for (name,) in database.execute(EXPERIMENTS)]
            if experiment is not None and experiment not in names:
                raise ImportRunsError(
                    f"{path} has no experiment {experiment}. It has {', '.join(names)}."
                )
            for row in database.execute(RUNS, (experiment, experiment)).fetchall():
                yield _past_run(database, *row)
    except sqlite3.Error as error:
        raise ImportRunsError(
            f"{path} cannot be read as a database of MLflow: {error}. Check the file."
        ) from error


def _past_run(
    database: sqlite3.Connection,
    run_id: str,
    name: str | None,
    project: str,
    started_ms: int | None,
    ended_ms: int | None,
) -> PastRun:
    metrics: dict[str, list[tuple[int, int, float]]] = {}
    for key, step, time, value, is_nan in database.execute(METRICS, (run_id,)):
        point = (step, time, math.nan if is_nan else value)
        metrics.setdefault(key, []).append(point)
    tags = dict(database.execute(TAGS, (run_id,)).fetchall())
    return PastRun(
        name=name or tags.get(NAME_TAG) or run_id[:8],
        run_id=run_id,
        params=dict(database.execute(PARAMS, (run_id,)).fetchall()),
        metrics=metrics,
        project=project,
        started_ms=started_ms,
        ended_ms=ended_ms,
        tags=user_tags(tags),
        note=tags.get(NOTE_TAG, ""),
    )
