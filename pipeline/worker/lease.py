"""Leases: one worker at a time executes a run, and loses it when its heartbeat is too old.

A lease is a token in the run's row. Procrastinate does not fence its jobs: a job that was given to
another worker may still be finished by the first one. So the token decides, not the job.
"""

import logging
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass

import psycopg2

from pipeline.database import Database

DATABASE_AWAY = 75  # exit code of a child process: EX_TEMPFAIL of sysexits.h
BEATS_PER_HEARTBEAT = 6  # so a lease survives a few lost ones
FAILURES = (psycopg2.OperationalError, psycopg2.InterfaceError)
# The first heartbeat is that of the child process, whose start takes seconds on a busy machine. So
# the time until it counts twice.
TAKE = """
UPDATE pipeline_runs SET state = 'RUNNING', lease_token = %(token)s,
    heartbeat_at = now() + make_interval(secs => %(stale)s), worker = %(worker)s,
    started_at = coalesce(started_at, now()),
    deaths = deaths + (lease_token IS NOT NULL)::int
WHERE id = %(run)s AND state IN ('QUEUED', 'RUNNING')
  AND (lease_token IS NULL OR heartbeat_at < now() - make_interval(secs => %(stale)s))
RETURNING id
"""
BEAT = """
UPDATE pipeline_runs SET heartbeat_at = now() WHERE id = %s AND lease_token = %s RETURNING id
"""
RELEASE = """
UPDATE pipeline_runs SET lease_token = NULL, heartbeat_at = NULL, deaths = deaths + %s
WHERE id = %s AND lease_token = %s
"""
# An attempt without a living worker.
END_ATTEMPTS = """
UPDATE pipeline_steps SET state = 'FAILED', finished_at = now(), error = %s
WHERE run_id = ANY (%s) AND state = 'RUNNING'
"""
ENQUEUE = "SELECT enqueue_run(%s)"

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Lease:
    """Right to execute a run, while the row of the run has `token`."""

    run_id: int
    token: str
    worker: str


def take(database: Database, run_id: int, worker: str, stale_seconds: float) -> Lease | None:
    """Take a run that is open and that no living worker has. Raises psycopg2.Error."""
    lease = Lease(run_id, str(uuid.uuid4()), worker)
    arguments = {"token": lease.token, "worker": worker, "run": run_id, "stale": stale_seconds}
    return lease if database.query(TAKE, arguments) else None


def release(database: Database, lease: Lease, error: str, *, died: bool) -> bool:
    """Give a run back, with a new job for it, and end its running attempt with `error`.

    Returns False, and changes nothing, if the lease was lost or the run is over. Raises
    psycopg2.Error.
    """
    with database.transaction() as cursor:
        cursor.execute(RELEASE, [int(died), lease.run_id, lease.token])
        if cursor.rowcount == 0:
            return False
        cursor.execute(END_ATTEMPTS, [error, [lease.run_id]])
        cursor.execute(ENQUEUE, [lease.run_id])
    return True


class Heartbeat:
    """Thread that keeps a lease alive, with a connection of its own.

    `on_loss` is called once, in the thread, when another worker has the run. While Postgres is
    unavailable no other worker can take it, so failures are ignored.
    """

    def __init__(self, lease: Lease, seconds: float, on_loss: Callable[[], None]) -> None:
        self._lease, self._on_loss = lease, on_loss
        self._pause_seconds = seconds / BEATS_PER_HEARTBEAT
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="heartbeat", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self) -> None:
        """Stop the thread and wait for its end."""
        self._stopping.set()
        self._thread.join()

    def _run(self) -> None:
        database = Database("mlops pipeline heartbeat")
        while True:
            try:
                is_mine = bool(database.query(BEAT, [self._lease.run_id, self._lease.token]))
            except FAILURES as error:
                logger.warning("Postgres is unavailable", extra={"error": str(error).strip()})
            else:
                if not is_mine:
                    self._on_loss()
                    break
            if self._stopping.wait(self._pause_seconds):
                break
        database.close()
