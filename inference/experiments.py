"""Metadata of the experiments from Postgres: the only SQL of this service.

Postgres may be away, frozen or restarting; then every call ends within TIMEOUT_SECONDS with DatabaseUnavailable.
"""

import select
import threading
import time
from contextlib import suppress
from typing import Any

import psycopg2
import psycopg2.extensions
import psycopg2.pool
from psycopg2.extras import RealDictCursor

from inference.errors import DatabaseUnavailable, UnknownExperiment

# A query takes a few milliseconds; a Postgres that needs longer than this is as good as away.
TIMEOUT_SECONDS = 3.0
# Handlers wait here for Postgres, and predictions need handlers, of which Connexion has ten: so few ask at once, the others queue
# for as long as a healthy Postgres needs for hundreds of them, and after one waited in vain nobody asks for a while.
MAX_CONNECTIONS = 3
QUEUE_SECONDS = 0.2
PAUSE_SECONDS = 2.0
COLUMNS = """experiment_name AS name, task, learning_rate, momentum, params, metrics, best_loss, last_loss, last_step,
             to_char(missing_since AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS missing_since"""
ALL = f"SELECT {COLUMNS} FROM leaderboard ORDER BY experiment_id"
ONE = f"SELECT {COLUMNS} FROM leaderboard WHERE experiment_name = %s"

Record = dict[str, Any]


class Experiments:
    """The experiments that the database knows. A connection is made at the first call, kept, and made anew when it broke."""

    def __init__(self) -> None:
        self._pool = psycopg2.pool.ThreadedConnectionPool(0, MAX_CONNECTIONS, application_name="mlops inference", async_=True)
        self._waiting = threading.BoundedSemaphore(MAX_CONNECTIONS)
        self._paused_until = 0.0
        self._pool.minconn = MAX_CONNECTIONS  # how many it keeps; told its constructor, it would make them at once

    def all(self) -> list[Record]:
        """Return every experiment, oldest first. Raises DatabaseUnavailable."""
        return self._query(ALL)

    def one(self, name: str) -> Record:
        """Return one experiment. Raises UnknownExperiment and DatabaseUnavailable."""
        records = self._query(ONE, [name])
        if not records:
            raise UnknownExperiment("The database has no experiment of this name; GET /api/v1.0/experiments lists them.")
        return records[0]

    def check(self) -> None:
        """Ask the database for a sign of life. Raises DatabaseUnavailable."""
        self._query("SELECT 1")

    def close(self) -> None:
        """Close every connection."""
        self._pool.closeall()

    def _query(self, statement: str, arguments: list[str] | None = None) -> list[Record]:
        if not self._waiting.acquire(timeout=QUEUE_SECONDS):
            raise DatabaseUnavailable
        try:
            if time.monotonic() < self._paused_until:
                raise DatabaseUnavailable
            return self._ask(statement, arguments, time.monotonic() + TIMEOUT_SECONDS)
        except _TimedOut as error:
            self._paused_until = time.monotonic() + PAUSE_SECONDS
            raise DatabaseUnavailable from error
        finally:
            self._waiting.release()

    def _ask(self, statement: str, arguments: list[str] | None, deadline: float) -> list[Record]:
        # After a restart of Postgres every pooled connection is broken, so each may fail once before a new one is made.
        for _ in range(MAX_CONNECTIONS + 1):
            try:
                connection = self._pool.getconn()
            except psycopg2.Error as error:
                raise DatabaseUnavailable from error
            is_new = connection.status == psycopg2.extensions.STATUS_SETUP
            broken = True
            try:
                _wait(connection, deadline)
                with connection.cursor(cursor_factory=RealDictCursor) as cursor:
                    cursor.execute(statement, arguments)
                    _wait(connection, deadline)
                    records = [dict(row) for row in cursor.fetchall()]
                broken = False
                return records
            except _TimedOut:
                raise
            except psycopg2.OperationalError as error:
                if is_new:  # another new one would fare no better
                    raise DatabaseUnavailable from error
            except psycopg2.Error as error:
                raise DatabaseUnavailable("The database answers, but is it set up? Every start of the stack does that.") from error
            finally:
                with suppress(psycopg2.Error):
                    self._pool.putconn(connection, close=broken)
        raise DatabaseUnavailable


class _TimedOut(psycopg2.OperationalError):
    """Postgres did not answer in time."""


def _wait(connection: psycopg2.extensions.connection, deadline: float) -> None:
    """Wait for an asynchronous connection, but not for ever: a blocking one never gives up on a server that is frozen."""
    waits = {psycopg2.extensions.POLL_READ: select.POLLIN, psycopg2.extensions.POLL_WRITE: select.POLLOUT}
    while (state := connection.poll()) != psycopg2.extensions.POLL_OK:
        poller = select.poll()  # select.select cannot take descriptors above 1023, and a busy server has them
        poller.register(connection.fileno(), waits[state])
        if not poller.poll(max(0.0, deadline - time.monotonic()) * 1000):
            raise _TimedOut("timed out")
