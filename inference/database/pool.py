"""Connection pool with deadlines: every query ends in time, whatever state Postgres is in.

Within TIMEOUT_SECONDS a query returns or raises DatabaseUnavailableError. Connections are
asynchronous and have no transactions: each statement is one. A statement is sent again after its
connection broke, so a statement that writes must have the same outcome the second time.
"""

import select
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import Any

import psycopg2
import psycopg2.extensions
import psycopg2.pool
from psycopg2.extras import RealDictCursor

from inference.errors import DatabaseUnavailableError
from servicekit.request_context import current_request_id

# A query takes a few milliseconds. A Postgres that needs this long counts as unavailable.
TIMEOUT_SECONDS = 3.0
# Request handlers wait here for Postgres, and Connexion has ten, which predictions need too.
# Therefore few of them query at the same time. The others queue for as long as a healthy Postgres
# needs for hundreds of queries. After a timeout all queries fail at once for a pause.
MAX_CONNECTIONS = 3
QUEUE_SECONDS = 0.2
PAUSE_SECONDS = 2.0

Record = dict[str, Any]
Arguments = Sequence[Any] | Mapping[str, Any]


def utc(column: str) -> str:
    """Return SQL that formats a timestamptz by RFC 3339, in UTC and with microseconds."""
    return f"""to_char({column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')"""


class Database:
    """A pool of a few connections, opened on demand and replaced when they break. Thread-safe."""

    def __init__(self) -> None:
        self._pool = psycopg2.pool.ThreadedConnectionPool(
            0, MAX_CONNECTIONS, application_name="mlops inference", async_=True
        )
        self._slots = threading.BoundedSemaphore(MAX_CONNECTIONS)
        self._paused_until = 0.0
        # Number of idle connections to keep. The constructor would open them immediately.
        self._pool.minconn = MAX_CONNECTIONS

    def query(self, statement: str, arguments: Arguments | None = None) -> list[Record]:
        """Return the rows of a statement, by column. Raises DatabaseUnavailableError."""
        if not self._slots.acquire(timeout=QUEUE_SECONDS):
            raise DatabaseUnavailableError
        try:
            if time.monotonic() < self._paused_until:
                raise DatabaseUnavailableError
            return self._execute(statement, arguments, time.monotonic() + TIMEOUT_SECONDS)
        except _TimedOutError as error:
            self._paused_until = time.monotonic() + PAUSE_SECONDS
            raise DatabaseUnavailableError from error
        finally:
            self._slots.release()

    def check(self) -> None:
        """Run a trivial query. Raises DatabaseUnavailableError."""
        self.query("SELECT 1")

    def close(self) -> None:
        """Close all connections."""
        self._pool.closeall()

    def _execute(
        self, statement: str, arguments: Arguments | None, deadline: float
    ) -> list[Record]:
        # After a restart of Postgres all pooled connections are broken. Each of them may fail once
        # before a new one is opened.
        for _ in range(MAX_CONNECTIONS + 1):
            try:
                connection = self._pool.getconn()
            except psycopg2.Error as error:
                raise DatabaseUnavailableError from error
            is_new = connection.status == psycopg2.extensions.STATUS_SETUP
            is_broken = True
            try:
                _wait(connection, deadline)
                with connection.cursor(cursor_factory=RealDictCursor) as cursor:
                    # Names the request in Postgres's log and in pg_stat_activity. A request id
                    # contains no character with a meaning in SQL.
                    cursor.execute(
                        f"/* request_id={current_request_id()} */ {statement}", arguments
                    )
                    _wait(connection, deadline)
                    records = [dict(row) for row in cursor.fetchall()]
                is_broken = False
                return records
            except _TimedOutError:
                raise
            except psycopg2.OperationalError as error:
                if is_new:  # another new connection would fail as well
                    raise DatabaseUnavailableError from error
            except psycopg2.Error as error:
                raise DatabaseUnavailableError(
                    "The database schema is missing or outdated."
                    " Restart the stack to run the migrations."
                ) from error
            finally:
                with suppress(psycopg2.Error):
                    self._pool.putconn(connection, close=is_broken)
        raise DatabaseUnavailableError


class _TimedOutError(psycopg2.OperationalError):
    """Postgres did not answer before the deadline."""


def _wait(connection: psycopg2.extensions.connection, deadline: float) -> None:
    """Wait for an asynchronous connection until a deadline (time.monotonic()).

    A blocking connection would wait forever for a frozen server.
    """
    events = {
        psycopg2.extensions.POLL_READ: select.POLLIN,
        psycopg2.extensions.POLL_WRITE: select.POLLOUT,
    }
    while (state := connection.poll()) != psycopg2.extensions.POLL_OK:
        # select.select does not accept descriptors above 1023, which a busy server has.
        poller = select.poll()
        poller.register(connection.fileno(), events[state])
        if not poller.poll(max(0.0, deadline - time.monotonic()) * 1000):
            raise _TimedOutError("timed out")
