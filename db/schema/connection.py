"""Connections of the set-up: waits for a Postgres that is starting, and for no lock without end."""

import time

import psycopg2
import psycopg2.extensions

from db.settings import Settings

PAUSE_SECONDS = 0.2
# While a statement waits for the lock of a table, all later ones on that table wait behind it. And
# a server may end sessions that wait in a transaction, as that of the set-up's lock does.
SESSION = "SET lock_timeout = '2s'; SET idle_in_transaction_session_timeout = 0"
MIN_SERVER_VERSION = 180_000  # foreign keys NOT ENFORCED, RETURNING WITH (OLD AS ...)


def connect(settings: Settings) -> psycopg2.extensions.connection:
    """Connect, and retry for `wait_seconds` while Postgres is starting. Raises psycopg2.Error."""
    deadline = time.monotonic() + settings.wait_seconds
    while True:
        try:
            connection = psycopg2.connect(
                dbname=settings.database, connect_timeout=3, application_name="mlops db-setup"
            )
            break
        except psycopg2.OperationalError as error:
            wrong_credentials = "authentication failed" in str(error)
            if wrong_credentials or time.monotonic() > deadline:
                raise
            time.sleep(PAUSE_SECONDS)
    if connection.server_version < MIN_SERVER_VERSION:
        connection.close()
        raise psycopg2.NotSupportedError(
            f"Postgres {connection.server_version // 10_000} is too old. The schema needs 18 or"
            " newer. Use a newer server, and bring its data by a backup (doc/backup.md)."
        )
    with connection, connection.cursor() as cursor:
        cursor.execute(SESSION)
    return connection
