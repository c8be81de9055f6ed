"""A connection to Postgres for what works beside the service.

It waits, but not for a server that has gone.
"""

import psycopg2
import psycopg2.extensions


def connect(name: str) -> psycopg2.extensions.connection:
    """Connect to the database that libpq's environment names, as the application `name`.

    Raises psycopg2.OperationalError.
    """
    return psycopg2.connect(
        connect_timeout=3,
        application_name=name,
        options="-c statement_timeout=30000",
        keepalives_idle=5,
        keepalives_interval=2,
        keepalives_count=3,
        tcp_user_timeout=10_000,
    )
