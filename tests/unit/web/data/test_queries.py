"""The parts of the queries that need no database."""

import socket
import time

import pandas as pd
import psycopg2
import pytest
from sqlalchemy.exc import OperationalError, ProgrammingError

from web.data.queries import connect, describe, numbers, read_snapshot
from web.settings import Settings

ADDRESS = "db.example:5432"


def refused(said: str) -> OperationalError:
    return OperationalError("", {}, psycopg2.OperationalError(said))


@pytest.mark.parametrize(
    ("error", "advice"),
    [
        (refused("connection refused"), "docker compose up"),
        (refused('password authentication failed for user "mlops_read"'), "PGPASSWORD"),
        (refused('database "mlopsdb" does not exist'), "PGDATABASE"),
        (TimeoutError(), "too long"),
        (RuntimeError("?"), "log"),
    ],
)
def test_a_failure_names_the_address_and_what_to_do(error: Exception, advice: str) -> None:
    said = describe(error, ADDRESS)
    assert ADDRESS in said
    assert advice in said


def test_a_database_that_is_not_set_up_is_told_apart() -> None:
    class UndefinedTable(psycopg2.ProgrammingError):
        pgcode = "42P01"

    assert "not set up" in describe(ProgrammingError("", {}, UndefinedTable()), ADDRESS)


def test_a_column_of_nothing_but_null_becomes_numbers() -> None:
    frame = numbers(pd.DataFrame({"a": [None, None], "b": [1, 2]}), ("a", "b"))
    assert [str(kind) for kind in frame.dtypes] == ["float64", "float64"]


def test_an_engine_for_a_server_that_is_not_there_fails_when_used_and_soon() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        engine = connect(Settings(database_host="127.0.0.1", database_port=unused.getsockname()[1]))
    started = time.monotonic()
    with pytest.raises(OperationalError):
        read_snapshot(engine)
    assert time.monotonic() - started < 3
