"""Connection to Postgres: errors in words, and limits of time."""

import socket
import time
from collections.abc import Iterator

import psycopg2
import psycopg2.extensions
import pytest
from sqlalchemy.exc import OperationalError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from web.data.postgres import describe_error, is_outage, limit_silence, make_engine
from web.data.queries import read_snapshot
from web.settings import Settings

ADDRESS = "db.example:5432"


def failed(message: str) -> OperationalError:
    return OperationalError("", {}, psycopg2.OperationalError(message))


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        (failed("connection refused"), "docker compose up"),
        (failed('password authentication failed for user "mlops_read"'), "PGPASSWORD"),
        (failed('database "mlopsdb" does not exist'), "PGDATABASE"),
        (TimeoutError(), "too long"),
        (RuntimeError("?"), "log"),
    ],
)
def test_error_names_the_address_and_what_to_do(error: Exception, advice: str) -> None:
    message = describe_error(error, ADDRESS)
    assert ADDRESS in message
    assert advice in message


def test_missing_schema_has_its_own_message() -> None:
    class UndefinedTable(psycopg2.ProgrammingError):
        pgcode = "42P01"

    assert "missing or outdated" in describe_error(
        ProgrammingError("", {}, UndefinedTable()), ADDRESS
    )


def test_engine_without_server_fails_on_first_use() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        engine = make_engine(
            Settings(database_host="127.0.0.1", database_port=unused.getsockname()[1])
        )
    started = time.monotonic()
    with pytest.raises(OperationalError):
        read_snapshot(engine)
    assert time.monotonic() - started < 3


@pytest.fixture
def silence_limit() -> Iterator[float]:
    """Limit the silence of servers, for all connections of this process."""
    seconds = 0.3
    limit_silence(seconds)
    yield seconds
    psycopg2.extensions.set_wait_callback(None)


def test_server_that_sends_nothing_takes_too_long(silence_limit: float) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        engine = make_engine(
            Settings(database_host="127.0.0.1", database_port=silent.getsockname()[1])
        )
        started = time.monotonic()
        with pytest.raises(OperationalError) as failure:
            read_snapshot(engine)
        assert silence_limit <= time.monotonic() - started < 2
    assert "takes too long" in describe_error(failure.value, ADDRESS)
    assert is_outage(failure.value)


def test_exhausted_pool_takes_too_long() -> None:
    error = PoolTimeoutError("QueuePool limit of size 4 reached")
    assert "takes too long" in describe_error(error, ADDRESS)
    assert is_outage(error)


def test_canceled_statement_is_no_outage() -> None:
    class Canceled(psycopg2.OperationalError):
        pgcode = "57014"

    error = OperationalError("", {}, Canceled())
    assert "takes too long" in describe_error(error, ADDRESS)
    assert not is_outage(error)
