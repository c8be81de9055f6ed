"""Postgres for the monitor: one connection, whose transactions require the lease."""

import os
import socket
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import psycopg2
from psycopg2.extensions import connection as Connection  # noqa: N812
from psycopg2.extensions import cursor as Cursor  # noqa: N812

# A monitor that freezes within a transaction must not keep the lease or its locks. Queries here are
# short, so compiling them costs more than it saves.
OPTIONS = (
    "-c statement_timeout=30000 -c idle_in_transaction_session_timeout=10000"
    " -c lock_timeout=5000 -c jit=off"
)
STALE_SECONDS = 10
HOLD = """
UPDATE monitor_lease SET seen_at = clock_timestamp() WHERE token = %s RETURNING id
"""
TAKE = """
UPDATE monitor_lease SET token = %(token)s, host = %(host)s, pid = %(pid)s,
    seen_at = clock_timestamp()
WHERE token IS NULL OR token = ANY (%(dead)s::uuid[])
   OR seen_at IS NULL OR seen_at < clock_timestamp() - make_interval(secs => %(stale)s)
RETURNING id
"""
HOLDER = "SELECT token::text, host, pid FROM monitor_lease"
SEEN = "SELECT extract(epoch FROM seen_at)::double precision FROM monitor_lease"
RELEASE = "UPDATE monitor_lease SET token = NULL WHERE token = %s"


class LeaseLostError(Exception):
    """Another monitor holds the lease. Nothing was written."""


class Database:
    """Connection to Postgres, opened on demand, with the lease of one monitor."""

    def __init__(self) -> None:
        self.token = str(uuid.uuid4())
        self._connection: Connection | None = None

    @contextmanager
    def transaction(self) -> Iterator[Cursor]:
        """Yield a cursor of a transaction that holds the lease.

        Raises LeaseLostError before the first statement, and psycopg2.Error.
        """
        with self._plain() as cursor:
            cursor.execute(HOLD, [self.token])
            if cursor.fetchone() is None:
                raise LeaseLostError
            yield cursor

    def take_lease(self) -> bool:
        """Take the lease if no living monitor has it. Raises psycopg2.Error."""
        with self._plain() as cursor:
            cursor.execute(HOLDER)
            [(token, host, pid)] = cursor.fetchall()
            is_dead = host == socket.gethostname() and not _is_alive(pid)
            arguments = {
                "token": self.token,
                "host": socket.gethostname(),
                "pid": os.getpid(),
                "dead": [token] if is_dead and token else [],
                "stale": STALE_SECONDS,
            }
            cursor.execute(TAKE, arguments)
            return cursor.fetchone() is not None

    def holder_seen_at(self) -> float | None:
        """Return the last sign of life of the monitor that holds the lease, in Unix time.

        Raises psycopg2.Error.
        """
        with self._plain() as cursor:
            cursor.execute(SEEN)
            [(seen_at,)] = cursor.fetchall()
            return None if seen_at is None else float(seen_at)

    def release_lease(self) -> None:
        """Give the lease up. Failures are ignored: it ends by itself."""
        with suppress(psycopg2.Error), self._plain() as cursor:
            cursor.execute(RELEASE, [self.token])

    def close(self) -> None:
        """Close the connection. The next transaction opens another one."""
        if self._connection is not None:
            with suppress(psycopg2.Error):
                self._connection.close()
        self._connection = None

    @contextmanager
    def _plain(self) -> Iterator[Cursor]:
        if self._connection is None or self._connection.closed:
            self._connection = psycopg2.connect(
                connect_timeout=3,
                application_name="mlops monitor",
                options=OPTIONS,
                keepalives_idle=5,
                keepalives_interval=2,
                keepalives_count=3,
                tcp_user_timeout=10_000,
            )
        with self._connection as connection, connection.cursor() as cursor:
            yield cursor


def _is_alive(pid: int | None) -> bool:
    if pid is None or pid == os.getpid():
        return False  # of an earlier process with the number of this one
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
