"""State of the pipeline for the metrics: its queue, its workers and its last success.

Read from Postgres, which knows of runs that wait although no worker lives. The background process
reads it, so that GET /metrics answers while Postgres does not.
"""

import logging
import time

import psycopg2
import psycopg2.extensions

from inference.database.connection import first_line
from inference.database.learning.runs import WORKER_SECONDS
from inference.observability.background_status import PipelineState

READ_SECONDS = 5.0
STATES = ("QUEUED", "RUNNING", "SUCCEEDED", "FAILED", "CANCELLED")
RUNS = """
SELECT state, count(*), EXTRACT(EPOCH FROM now() - min(created_at)),
    EXTRACT(EPOCH FROM max(finished_at))
FROM pipeline_runs GROUP BY state
"""
WORKERS = "SELECT count(*) FROM pipeline_workers WHERE seen_at > now() - make_interval(secs => %s)"

logger = logging.getLogger(__name__)


class PipelineReader:
    """Reads the state at intervals."""

    def __init__(self) -> None:
        self._state: PipelineState | None = None
        self._read_at = float("-inf")  # time.monotonic()
        self._is_failing = False

    def read_if_due(self, connection: psycopg2.extensions.connection) -> PipelineState | None:
        """Return the state, read again after READ_SECONDS. A failure is logged once.

        Raises psycopg2.Error when the connection is lost.
        """
        if time.monotonic() - self._read_at < READ_SECONDS:
            return self._state
        self._read_at = time.monotonic()
        try:
            self._state = read_state(connection)
            self._is_failing = False
        except psycopg2.Error as error:
            if connection.closed:
                raise
            if not self._is_failing:
                logger.warning("The metrics of the pipeline are missing. %s", first_line(error))
            self._is_failing = True
        return self._state


def read_state(connection: psycopg2.extensions.connection) -> PipelineState:
    """Read the state. Raises psycopg2.Error."""
    with connection, connection.cursor() as cursor:
        cursor.execute(RUNS)
        rows = {state: (count, age, finished) for state, count, age, finished in cursor.fetchall()}
        cursor.execute(WORKERS, [WORKER_SECONDS])
        [(workers,)] = cursor.fetchall()
    _, queued_seconds, _ = rows.get("QUEUED", (0, 0, None))
    _, _, succeeded_at = rows.get("SUCCEEDED", (0, 0, None))
    return PipelineState(
        {state: rows.get(state, (0, 0, None))[0] for state in STATES},
        float(queued_seconds),
        workers,
        None if succeeded_at is None else float(succeeded_at),
        time.time(),
    )
