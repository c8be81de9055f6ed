"""Connection pool of the tracking process: transactions with deadlines.

Connections are asynchronous, because a blocking one would wait forever for a frozen server.
"""

import logging
import select
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

import psycopg2
import psycopg2.errors
import psycopg2.extensions
from psycopg2.extensions import connection as Connection  # noqa: N812
from psycopg2.extensions import cursor as Cursor  # noqa: N812

from tracking.errors import UnavailableError

MAX_CONNECTIONS = 6
TIMEOUT_SECONDS = 5.0  # of one statement
QUEUE_SECONDS = 10.0  # a request waits this long for a connection
PAUSE_SECONDS = 1.0  # after a timeout all requests fail at once for this long
EVENTS = {
    psycopg2.extensions.POLL_READ: select.POLLIN,
    psycopg2.extensions.POLL_WRITE: select.POLLOUT,
}

logger = logging.getLogger(__name__)


class WaitingCursor(Cursor):
    """Cursor of an asynchronous connection whose `execute` waits for the result.

    It raises psycopg2.OperationalError after TIMEOUT_SECONDS.
    """

    def execute(self, query: Any, arguments: Any = None) -> None:
        """Run a statement. Raises psycopg2.Error."""
        super().execute(query, arguments)
        _wait(self.connection)


class Database:
    """A pool of connections, opened on demand and replaced when they break. Thread-safe."""

    def __init__(self) -> None:
        self._slots = threading.BoundedSemaphore(MAX_CONNECTIONS)
        self._idle: list[Connection] = []
        self._paused_until = 0.0
        self._is_failing = False

    @contextmanager
    def transaction(self) -> Iterator[Cursor]:
        """Yield a cursor of a transaction, which is committed at the end of the block.

        Raises UnavailableError while Postgres does not answer, also at the commit.
        """
        with self.connection() as cursor:
            cursor.execute("BEGIN")
            try:
                yield cursor
            except psycopg2.OperationalError:
                raise  # its connection is closed
            except BaseException:
                cursor.execute("ROLLBACK")
                raise
            cursor.execute("COMMIT")

    @contextmanager
    def connection(self) -> Iterator[Cursor]:
        """Yield a cursor each of whose statements is a transaction. Raises UnavailableError."""
        if not self._slots.acquire(timeout=QUEUE_SECONDS):
            raise UnavailableError
        try:
            if time.monotonic() < self._paused_until:
                raise UnavailableError
            with self._translated():
                yield from self._lend()
        finally:
            self._slots.release()

    def close(self) -> None:
        """Close all idle connections."""
        while self._idle:
            with suppress(psycopg2.Error):
                self._idle.pop().close()

    def _lend(self) -> Iterator[Cursor]:
        connection = self._take()
        is_broken = True
        try:
            with connection.cursor(cursor_factory=WaitingCursor) as cursor:
                yield cursor
            is_broken = False
        except (psycopg2.OperationalError, psycopg2.InterfaceError):
            raise
        except Exception:
            is_broken = bool(connection.closed)
            raise
        finally:
            if is_broken:
                with suppress(psycopg2.Error):
                    connection.close()
            else:
                self._idle.append(connection)

    def _take(self) -> Connection:
        """Return an idle connection that the server has not closed, else a new one."""
        with suppress(IndexError):
            while True:
                connection = self._idle.pop()
                poller = select.poll()
                poller.register(connection.fileno(), select.POLLIN)
                if not poller.poll(0):
                    return connection
                with suppress(psycopg2.Error):
                    connection.close()
        connection = psycopg2.connect(application_name="mlops tracking", async_=True)
        try:
            _wait(connection)
        except psycopg2.Error:
            connection.close()
            raise
        return connection

    @contextmanager
    def _translated(self) -> Iterator[None]:
        """Raise UnavailableError in place of the errors of a server that does not answer."""
        try:
            yield
        except (psycopg2.OperationalError, psycopg2.InterfaceError) as error:
            if isinstance(error, _TimedOutError):
                self._paused_until = time.monotonic() + PAUSE_SECONDS
            if not self._is_failing:
                logger.warning("Tracking waits for Postgres. %s", str(error).strip().split("\n")[0])
            self._is_failing = True
            raise UnavailableError from error
        except (psycopg2.errors.UndefinedTable, psycopg2.errors.UndefinedColumn) as error:
            raise UnavailableError(
                "The database schema is missing or outdated."
                " Restart the stack to run the migrations."
            ) from error
        self._is_failing = False


class _TimedOutError(psycopg2.OperationalError):
    """Postgres did not answer before the deadline."""


def _wait(connection: Connection) -> None:
    deadline = time.monotonic() + TIMEOUT_SECONDS
    while (state := connection.poll()) != psycopg2.extensions.POLL_OK:
        poller = select.poll()
        poller.register(connection.fileno(), EVENTS[state])
        if not poller.poll(max(0.0, deadline - time.monotonic()) * 1000):
            raise _TimedOutError("timed out")
