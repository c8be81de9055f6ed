"""Locks: one set-up of a database at a time, and a bounded wait for locks of other sessions.

An advisory lock does not serve here: every role may take it and stop the set-up.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from typing import TypeVar

import psycopg2
import psycopg2.errors
import psycopg2.extensions

from db.schema.connection import connect
from db.settings import Settings

Result = TypeVar("Result")
PAUSE_SECONDS = 3.0
MAX_WAIT_SECONDS = 60.0
MAX_SETUP_SECONDS = 600.0  # of another set-up: the import of large files takes minutes
CREATE = """
CREATE TABLE setup_lock ();
COMMENT ON TABLE setup_lock IS 'Empty. Each set-up locks it, so that one at a time continues.'
"""
# Sessions that hold a lock: of other set-ups, or of other programs.
HOLDERS = """
SELECT DISTINCT a.xact_start, format(
    '%%s (%%s, process %%s, since %%s UTC)', coalesce(a.usename, a.backend_type),
    coalesce(nullif(a.application_name, ''), 'no name'), a.pid,
    to_char(a.xact_start AT TIME ZONE 'UTC', 'HH24:MI:SS'))
FROM pg_locks l JOIN pg_stat_activity a USING (pid) JOIN pg_class c ON c.oid = l.relation
WHERE l.database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND l.granted AND a.pid <> pg_backend_pid() AND c.relnamespace = 'public'::regnamespace
  AND (l.pid IN (SELECT pid FROM pg_locks
                 WHERE relation = 'setup_lock'::regclass AND mode = 'ExclusiveLock' AND granted)
      ) = %s
ORDER BY 1 LIMIT 3
"""


class BlockedError(Exception):
    """Another session holds a lock for too long. The message names it."""


@contextmanager
def setup_lock(settings: Settings) -> Iterator[None]:
    """Hold the lock of the set-up, in a transaction of a connection of its own.

    Raises:
        BlockedError: another set-up holds it for more than MAX_SETUP_SECONDS.
        psycopg2.Error: Postgres does not answer, or denies access.
    """
    with closing(connect(settings)) as connection:
        deadline = time.monotonic() + MAX_SETUP_SECONDS
        while not _lock(connection):
            holders = _find_holders(connection, are_setups=True)
            if time.monotonic() > deadline:
                raise BlockedError(
                    f"Another set-up of this database does not end: {holders}. "
                    "Stop that process, then start again."
                )
            print(f"Waiting for another set-up of this database: {holders}", flush=True)
        yield


def retry_while_locked(
    connection: psycopg2.extensions.connection, action: Callable[[], Result]
) -> Result:
    """Return the result of an action, which is repeated while it raises LockNotAvailable.

    Raises:
        BlockedError: that takes more than MAX_WAIT_SECONDS.
    """
    deadline = time.monotonic() + MAX_WAIT_SECONDS
    while True:
        try:
            return action()
        except psycopg2.errors.LockNotAvailable:
            holders = _find_holders(connection, are_setups=False)
            if time.monotonic() > deadline:
                raise BlockedError(
                    f"An open transaction locks a table that the set-up changes: {holders}. "
                    "End that transaction or its process, then start again."
                ) from None
        print(f"Waiting for an open transaction: {holders}", flush=True)
        time.sleep(PAUSE_SECONDS)


def _lock(connection: psycopg2.extensions.connection) -> bool:
    """Take the lock until the connection ends. Returns False if it is not available yet."""
    try:
        with (
            # One of these errors means that another set-up has just created it.
            suppress(psycopg2.errors.UniqueViolation, psycopg2.errors.DuplicateTable),
            connection,
            connection.cursor() as cursor,
        ):
            cursor.execute("SELECT to_regclass('setup_lock') IS NULL")
            if cursor.fetchone() == (True,):
                cursor.execute(CREATE)
        connection.cursor().execute("LOCK TABLE setup_lock IN EXCLUSIVE MODE")
    except psycopg2.errors.LockNotAvailable:
        connection.rollback()
        return False
    return True


def _find_holders(connection: psycopg2.extensions.connection, *, are_setups: bool) -> str:
    """Return the users, programs and processes of sessions that hold locks, oldest first."""
    with connection, connection.cursor() as cursor:
        cursor.execute(HOLDERS, [are_setups])
        return ", ".join(text for _, text in cursor) or "a session that has just ended"
