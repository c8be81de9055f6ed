"""Postgres for the pipeline: short transactions on one connection, replaced when it breaks."""

import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg2
from psycopg2.extensions import connection as Connection  # noqa: N812
from psycopg2.extensions import cursor as Cursor  # noqa: N812
from psycopg2.extras import RealDictCursor

Record = dict[str, Any]
Arguments = Sequence[Any] | Mapping[str, Any]
CONNECT_TIMEOUT_SECONDS = 5


class Database:
    """One connection, opened on demand from libpq's variables. Thread-safe."""

    def __init__(self, application_name: str = "mlops pipeline") -> None:
        self._application_name = application_name
        self._connection: Connection | None = None
        self._lock = threading.RLock()

    def query(self, statement: str, arguments: Arguments | None = None) -> list[Record]:
        """Run a statement in a transaction of its own and return its rows, if it has any.

        Raises psycopg2.Error; psycopg2.OperationalError while Postgres is unavailable.
        """
        with self.transaction() as cursor:
            cursor.execute(statement, arguments)
            return fetch_all(cursor)

    @contextmanager
    def transaction(self) -> Iterator[Cursor]:
        """Yield a cursor whose statements are committed at the end, or rolled back on an error."""
        with self._lock:
            connection = self._open()
            try:
                with connection, connection.cursor(cursor_factory=RealDictCursor) as cursor:
                    yield cursor
            except psycopg2.OperationalError:
                self.close()
                raise

    def close(self) -> None:
        """Close the connection. The next statement opens another one."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
            self._connection = None

    def _open(self) -> Connection:
        if self._connection is None or self._connection.closed:
            self._connection = psycopg2.connect(
                connect_timeout=CONNECT_TIMEOUT_SECONDS,
                application_name=self._application_name,
                keepalives_idle=10,
                keepalives_interval=5,
                keepalives_count=3,
            )
        return self._connection


def fetch_all(cursor: Cursor) -> list[Record]:
    """Return the rows of the last statement, or an empty list if it returns none."""
    return [dict(row) for row in cursor.fetchall()] if cursor.description else []
