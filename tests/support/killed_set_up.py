"""`python -m tests.support.killed_set_up N`.

A set-up of the database that is killed before its Nth statement.

It ends as kill -9 does, without a word to Postgres. The last line that it prints is how many it
came to, that one included.
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
    """Return a method of a cursor or a connection that counts as a statement."""

    @functools.wraps(method)
    def counted(*arguments: Any, **named: Any) -> Any:
        global count  # noqa: PLW0603  # of all connections together
        count += 1
        if count == number:
            print(count, flush=True)
            os.kill(os.getpid(), signal.SIGKILL)
        return method(*arguments, **named)

    return counted


def run(number: int) -> int:
    """Set up, and return the exit code, if it comes to that."""
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
