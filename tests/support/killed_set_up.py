"""Killed set-up: `python -m tests.support.killed_set_up N` ends before its Nth SQL statement.

It ends as with kill -9, without closing its connections. Its last line of output is the number of
statements, including the Nth.
"""

import functools
import os
import signal
import sys
from typing import Any

import psycopg2
import psycopg2.extensions

from db.initialize import main

count = 0


def killed_before(number: int, method: Any) -> Any:
    """Return a method of a cursor or connection, wrapped to count as a statement."""

    @functools.wraps(method)
    def counted(*arguments: Any, **keywords: Any) -> Any:
        global count  # noqa: PLW0603  # one count for all connections
        count += 1
        if count == number:
            print(count, flush=True)
            os.kill(os.getpid(), signal.SIGKILL)
        return method(*arguments, **keywords)

    return counted


def run(number: int) -> int:
    """Set up, and return the exit code if the process is not killed."""
    cursor = psycopg2.extensions.cursor
    statements = {
        name: killed_before(number, getattr(cursor, name)) for name in ("execute", "copy_expert")
    }
    counting_cursor = type("CountingCursor", (cursor,), statements)
    connection = psycopg2.extensions.connection
    commit = {
        name: killed_before(number, getattr(connection, name)) for name in ("commit", "__exit__")
    }
    counting_connection = type("CountingConnection", (connection,), commit)
    connect = psycopg2.connect
    psycopg2.connect = functools.partial(
        connect, connection_factory=counting_connection, cursor_factory=counting_cursor
    )
    code = main()
    print(count, flush=True)
    return code


if __name__ == "__main__":
    sys.exit(run(int(sys.argv[1])))
