"""Connection to Postgres: engine, limits of time, and errors in words."""

import select

import psycopg2
import psycopg2.extensions
from sqlalchemy import URL, Engine, create_engine
from sqlalchemy.exc import OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from web.formatting import RESTART_HINT
from web.settings import Settings

CONNECT_TIMEOUT_SECONDS = 3
STATEMENT_TIMEOUT_MILLISECONDS = 4000
# A server that is frozen ends no statement by itself, and a proxy may keep the connection open.
SILENCE_SECONDS = 4.5

# SQLSTATE codes, see appendix A of the PostgreSQL manual.
UNDEFINED_TABLE = "42P01"
UNDEFINED_COLUMN = "42703"
INSUFFICIENT_PRIVILEGE = "42501"
QUERY_CANCELED = "57014"
TOO_LONG = "takes too long"
SILENT = "the server sends nothing"


def make_engine(settings: Settings) -> Engine:
    """Create the engine. It connects with the first query."""
    url = URL.create(
        "postgresql+psycopg2",
        username=settings.database_user,
        password=settings.database_password,
        host=settings.database_host,
        port=settings.database_port,
        database=settings.database_name,
    )
    return create_engine(
        url,
        pool_pre_ping=True,
        pool_size=4,
        max_overflow=2,
        pool_timeout=CONNECT_TIMEOUT_SECONDS,
        connect_args={
            "connect_timeout": CONNECT_TIMEOUT_SECONDS,
            "application_name": "web",
            "options": f"-c statement_timeout={STATEMENT_TIMEOUT_MILLISECONDS}"
            " -c default_transaction_read_only=on",
        },
    )


def limit_silence(seconds: float = SILENCE_SECONDS) -> None:
    """Make every connection of the process fail when its server sends nothing for so long.

    libpq has no such limit: TCP's timeouts do not notice a frozen server whose kernel still
    acknowledges. The limit is of the process, and its connections cannot use COPY.
    """

    def wait(connection: psycopg2.extensions.connection) -> None:
        while (state := connection.poll()) != psycopg2.extensions.POLL_OK:
            is_reading = state == psycopg2.extensions.POLL_READ
            own = [connection.fileno()]
            if not any(
                select.select(own if is_reading else [], [] if is_reading else own, [], seconds)
            ):
                raise psycopg2.OperationalError(SILENT)

    psycopg2.extensions.set_wait_callback(wait)


def is_outage(error: Exception) -> bool:
    """Return whether an error concerns the whole server, not one query."""
    if isinstance(error, PoolTimeoutError):
        return True
    code = getattr(getattr(error, "orig", None), "pgcode", None)
    return isinstance(error, OperationalError) and code is None


def describe_error(error: Exception, address: str) -> str:
    """Describe a database error in markdown: what is wrong, then what to do.

    Args:
        error: the error of a query.
        address: host:port of the database.

    """
    server = f"Postgres at `{address}`"
    code = getattr(getattr(error, "orig", None), "pgcode", None)
    if code in (UNDEFINED_TABLE, UNDEFINED_COLUMN, INSUFFICIENT_PRIVILEGE):
        return f"The schema in {server} is missing or outdated. To set it up, {RESTART_HINT}."
    if _is_too_slow(error):
        return f"{server} {TOO_LONG} to respond."
    if isinstance(error, OperationalError):
        message = str(error.orig)
        if "authentication failed" in message or 'role "' in message:
            return (
                f"{server} rejects the dashboard's login. Check PGUSER and PGPASSWORD,"
                f" then {RESTART_HINT}."
            )
        if 'database "' in message:
            return f"{server} has no such database. Check PGDATABASE, then {RESTART_HINT}."
        return f"{server} does not respond. Start it with `make up` or `docker compose up`."
    return f"{server} returned an unusable result. See the log of the web service."


def _is_too_slow(error: Exception) -> bool:
    cause = getattr(error, "orig", None)
    return (
        isinstance(error, TimeoutError | PoolTimeoutError)
        or getattr(cause, "pgcode", None) == QUERY_CANCELED
        or any(text in str(cause) for text in (SILENT, "timeout expired"))
    )
