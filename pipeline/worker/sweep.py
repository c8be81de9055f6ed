"""Sweep: frees the runs of dead workers, gives each open run a job, and removes old rows.

Every worker sweeps every few seconds. Each statement is safe when several do so at once.
"""

import logging
import shutil
from datetime import timedelta
from pathlib import Path
from typing import Any

from psycopg2.extensions import cursor as Cursor  # noqa: N812

from pipeline.database import Database, Record, fetch_all
from pipeline.steps import unpublished
from pipeline.worker.executor import run_folder
from pipeline.worker.lease import END_ATTEMPTS, ENQUEUE

WORKER_ROWS_KEPT = timedelta(days=1)
# A folder of a run that failed is kept for a retry.
FAILED_FOLDERS_KEPT = timedelta(days=7)
# A row that a frozen worker has locked is left for the next sweep.
FREE = """
WITH stale AS (
    SELECT id FROM pipeline_runs
    WHERE state = 'RUNNING' AND lease_token IS NOT NULL
      AND heartbeat_at < now() - make_interval(secs => %s)
    FOR UPDATE SKIP LOCKED)
UPDATE pipeline_runs r SET lease_token = NULL, heartbeat_at = NULL, deaths = deaths + 1
FROM stale WHERE r.id = stale.id RETURNING r.id, r.worker
"""
# Procrastinate's triggers name their tables without the schema.
USE_QUEUE = "SET LOCAL search_path = public, procrastinate"
# A job that a dead worker was doing is marked as failed, never retried.
FAIL_JOBS = """
UPDATE procrastinate_jobs j SET status = 'failed'
WHERE j.task_name = 'run' AND j.status = 'doing' AND EXISTS (
    SELECT FROM pipeline_runs r
    WHERE r.id = (j.args ->> 'run_id')::bigint AND r.lease_token IS NULL
) AND NOT EXISTS (
    SELECT FROM procrastinate_workers w
    WHERE w.id = j.worker_id AND w.last_heartbeat > now() - make_interval(secs => %(stale)s)
      AND NOT (j.args ->> 'run_id')::bigint = ANY (%(freed)s))
"""
WITHOUT_JOB = """
SELECT r.id FROM pipeline_runs r
WHERE r.state IN ('QUEUED', 'RUNNING') AND r.lease_token IS NULL AND NOT EXISTS (
    SELECT FROM procrastinate_jobs j
    WHERE j.task_name = 'run' AND j.status IN ('todo', 'doing')
      AND (j.args ->> 'run_id')::bigint = r.id)
"""
SEEN = """
INSERT INTO pipeline_workers (name, host, pid, version)
VALUES (%(name)s, %(host)s, %(pid)s, %(version)s)
ON CONFLICT (name) DO UPDATE SET seen_at = now()
"""
FORGET = "DELETE FROM pipeline_workers WHERE name = %s"
PRUNE = "DELETE FROM pipeline_workers WHERE seen_at < now() - %s"
OVER = """
SELECT id FROM pipeline_runs WHERE id = ANY (%s) AND (
    (state = 'SUCCEEDED' AND (SELECT s.state IS DISTINCT FROM 'FAILED' FROM pipeline_steps s
        WHERE s.run_id = id ORDER BY s.ordinal DESC, s.attempt DESC LIMIT 1
    ) AND finished_at < now() - interval '1 minute')
    OR finished_at < now() - %s)
"""
ENDED = """
SELECT id FROM pipeline_runs
WHERE id = ANY (%s) AND state NOT IN ('QUEUED', 'RUNNING')
  AND finished_at < now() - interval '1 minute'
"""

logger = logging.getLogger(__name__)


def free_runs(database: Database, stale_seconds: float) -> list[int]:
    """Free the runs of dead workers, and return those that got a new job. Raises psycopg2.Error."""
    with database.transaction() as cursor:
        freed = _execute(cursor, FREE, [stale_seconds])
        ids = [row["id"] for row in freed]
        for row in freed:
            logger.warning("A worker died", extra={"run": row["id"], "worker": row["worker"]})
        cursor.execute(END_ATTEMPTS, ["Its worker died.", ids])
        cursor.execute(USE_QUEUE)
        cursor.execute(FAIL_JOBS, {"stale": stale_seconds, "freed": ids})
        waiting = [row["id"] for row in _execute(cursor, WITHOUT_JOB)]
        for run_id in waiting:
            cursor.execute(ENQUEUE, [run_id])
    return waiting


def remove_folders(database: Database, work: Path) -> None:
    """Remove the folders of runs that nothing continues. Raises psycopg2.Error."""
    if not work.is_dir():
        return
    ids = [int(folder.name) for folder in work.iterdir() if folder.name.isdigit()]
    for row in database.query(OVER, [ids, FAILED_FOLDERS_KEPT]):
        shutil.rmtree(run_folder(work, row["id"]), ignore_errors=True)


def remove_unpublished(database: Database, models_dir: Path) -> None:
    """Remove what killed attempts of ended runs left in the model directory.

    Raises psycopg2.Error and OSError.
    """
    found = list(unpublished.find(models_dir))
    if not found:
        return
    rows = database.query(ENDED, [[run_id for run_id, _ in found]])
    ended = {row["id"] for row in rows}
    for run_id, directory in found:
        if run_id in ended:
            unpublished.remove(directory)


def report_worker(database: Database, name: str, host: str, pid: int, version: str) -> None:
    """Write the sign of life of this worker, and remove old ones. Raises psycopg2.Error."""
    database.query(SEEN, {"name": name, "host": host, "pid": pid, "version": version})
    database.query(PRUNE, [WORKER_ROWS_KEPT])


def forget_worker(database: Database, name: str) -> None:
    """Remove the row of a worker that stops. Raises psycopg2.Error."""
    database.query(FORGET, [name])


def _execute(cursor: Cursor, statement: str, arguments: list[Any] | None = None) -> list[Record]:
    cursor.execute(statement, arguments)
    return fetch_all(cursor)
