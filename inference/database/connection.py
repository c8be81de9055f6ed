"""Blocking connection to Postgres, for the background process. It detects a dead server."""

import psycopg2
import psycopg2.extensions


def first_line(error: Exception) -> str:
    """Return the first line of an error's message; Postgres adds the statement and hints."""
    return str(error).strip().split("\n", 1)[0]


def connect(application_name: str) -> psycopg2.extensions.connection:
    """Connect to the database that libpq's environment variables name.

    Raises psycopg2.OperationalError.
    """
    return psycopg2.connect(
        connect_timeout=3,
        application_name=application_name,
        options="-c statement_timeout=30000",
        keepalives_idle=5,
        keepalives_interval=2,
        keepalives_count=3,
        tcp_user_timeout=10_000,
    )
