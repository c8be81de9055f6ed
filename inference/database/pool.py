"""Postgres as the operations see it: a statement in, rows out, and never a long wait.

Postgres may be away, frozen or restarting; then every call ends within TIMEOUT_SECONDS with
DatabaseUnavailableError. Connections are asynchronous and thus without transactions: each statement is
one. A statement whose connection broke is sent again, so one that writes must have the same outcome
the second time.
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

# A query takes a few milliseconds; a Postgres that needs longer than this is as good as away.
TIMEOUT_SECONDS = 3.0
# Handlers wait here for Postgres, and predictions need handlers, of which Connexion has ten: so few
# ask at once, the others queue for as long as a healthy Postgres needs for hundreds of them, and
# after one waited in vain nobody asks for a while.
MAX_CONNECTIONS = 3
QUEUE_SECONDS = 0.2
PAUSE_SECONDS = 2.0

Record = dict[str, Any]
Arguments = Sequence[Any] | Mapping[str, Any]


def utc(column: str) -> str:
    """Return SQL that writes a timestamptz as RFC 3339 does, in UTC, with all of its microseconds."""
    return f"""to_char({column} AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"')"""


class Database:
    """A few connections, made when they are needed, kept, and made anew when they broke.

    Any thread may ask.
    """

    def __init__(self) -> None:
        self._pool = psycopg2.pool.ThreadedConnectionPool(
            0, MAX_CONNECTIONS, application_name="mlops inference", async_=True
        )
        self._waiting = threading.BoundedSemaphore(MAX_CONNECTIONS)
        self._paused_until = 0.0
        self._pool.minconn = (
            MAX_CONNECTIONS  # how many it keeps; told its constructor, it would make them at once
        )

    def query(self, statement: str, arguments: Arguments | None = None) -> list[Record]:
        """Return the rows of a statement, by column. Raises DatabaseUnavailableError."""
        if not self._waiting.acquire(timeout=QUEUE_SECONDS):
            raise DatabaseUnavailableError
        try:
            if time.monotonic() < self._paused_until:
                raise DatabaseUnavailableError
            return self._ask(statement, arguments, time.monotonic() + TIMEOUT_SECONDS)
        except _TimedOutError as error:
            self._paused_until = time.monotonic() + PAUSE_SECONDS
            raise DatabaseUnavailableError from error
        finally:
            self._waiting.release()

    def check(self) -> None:
        """Ask the database for a sign of life. Raises DatabaseUnavailableError."""
        self.query("SELECT 1")

    def close(self) -> None:
        """Close every connection."""
        self._pool.closeall()

    def _ask(self, statement: str, arguments: Arguments | None, deadline: float) -> list[Record]:
        # After a restart of Postgres every pooled connection is broken, so each may fail once
        # before a new one is made.
        for _ in range(MAX_CONNECTIONS + 1):
            try:
                connection = self._pool.getconn()
            except psycopg2.Error as error:
                raise DatabaseUnavailableError from error
            is_new = connection.status == psycopg2.extensions.STATUS_SETUP
            broken = True
            try:
                _wait(connection, deadline)
                with connection.cursor(cursor_factory=RealDictCursor) as cursor:
                    # Postgres's log and pg_stat_activity then name the request that asked; an id
                    # has no character of SQL's
                    cursor.execute(
                        f"/* request_id={current_request_id()} */ {statement}", arguments
                    )
                    _wait(connection, deadline)
                    records = [dict(row) for row in cursor.fetchall()]
                broken = False
                return records
            except _TimedOutError:
                raise
            except psycopg2.OperationalError as error:
                if is_new:  # another new one would fare no better
                    raise DatabaseUnavailableError from error
            except psycopg2.Error as error:
                raise DatabaseUnavailableError(
                    "The database answers, but is it set up? Every start of the stack does that."
                ) from error
            finally:
                with suppress(psycopg2.Error):
                    self._pool.putconn(connection, close=broken)
        raise DatabaseUnavailableError


class _TimedOutError(psycopg2.OperationalError):
    """Postgres did not answer in time."""


def _wait(connection: psycopg2.extensions.connection, deadline: float) -> None:
    """Wait for an asynchronous connection, but not for ever.

    A blocking one never gives up on a server that is frozen.
    """
    waits = {
        psycopg2.extensions.POLL_READ: select.POLLIN,
        psycopg2.extensions.POLL_WRITE: select.POLLOUT,
    }
    while (state := connection.poll()) != psycopg2.extensions.POLL_OK:
        poller = (
            select.poll()
        )  # select.select cannot take descriptors above 1023, and a busy server has them
        poller.register(connection.fileno(), waits[state])
        if not poller.poll(max(0.0, deadline - time.monotonic()) * 1000):
            raise _TimedOutError("timed out")
