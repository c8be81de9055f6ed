"""A connection of mlops_read: it reads, and stops neither the service nor the set-up."""

import os
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import psycopg2
import psycopg2.errors
import psycopg2.extensions
import pytest

import db.schema.connection
import db.schema.locks
import db.schema.migrate
from db.initialize import set_up
from db.schema.locks import BlockedError
from db.settings import from_environment
from tests.support.database import HEADER, Database, connect

# Locks of earlier versions, by key.
ADVISORY_KEYS = ("hashtext('summaries of predictions')", "hashtext('alias mnist champion')", "0")
FORBIDDEN = (
    *(f"SELECT pg_advisory_lock({key})" for key in ADVISORY_KEYS),
    "SELECT pg_advisory_xact_lock_shared(1, 2)",
    "SELECT pg_try_advisory_lock(1)",
    "SELECT lo_create(0)",
    "SELECT lo_from_bytea(0, 'x')",
    "SELECT pg_logical_emit_message(false, 'a', 'b')",
    "SELECT pg_notify('a', 'b')",
    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'mlops_read'",
    "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE usename = 'mlops_read'",
    "CREATE TEMPORARY TABLE a (b int)",
    "CREATE TABLE a (b int)",
    "CREATE SCHEMA a",
    "SELECT lock_summaries()",
    "SELECT make_events_partition(now())",
    "LOCK TABLE summaries_lock IN ROW SHARE MODE",
    "LOCK TABLE setup_lock IN ROW SHARE MODE",
    "LOCK TABLE predictions IN ROW SHARE MODE",
    "SELECT FROM experiments FOR KEY SHARE",
    "SET temp_file_limit = -1",
    "ALTER ROLE mlops_read CONNECTION LIMIT -1",
    "ALTER ROLE mlops_app PASSWORD 'x'",
)
# What the role may lock: with SELECT alone, only in the weakest mode.
READ_LOCKS = "LOCK TABLE summaries_lock, setup_lock, alias_events, predictions IN ACCESS SHARE MODE"


@pytest.fixture
def database(
    empty_database: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Database:
    """A set-up database to which the process environment points."""
    database = Database(empty_database, tmp_path)
    database.csv.write_text(HEADER)
    for name, value in database.environment.items():
        monkeypatch.setenv(name, value)
    set_up(from_environment(os.environ))
    return database


@pytest.fixture
def short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    """Set-ups that wait for a lock for a fifth of a second."""
    for module in (db.schema.connection, db.schema.migrate):
        monkeypatch.setattr(module, "SESSION", "SET lock_timeout = '200ms'")
    monkeypatch.setattr(db.schema.locks, "PAUSE_SECONDS", 0.1)


@pytest.fixture
def reader(database: Database) -> Iterator[psycopg2.extensions.connection]:
    """A connection of mlops_read that has turned off what it can."""
    with closing(connect(database.environment, "mlops_read")) as connection:
        with connection, connection.cursor() as cursor:
            cursor.execute("SET default_transaction_read_only = off; SET statement_timeout = 0")
        yield connection


def test_read_role_may_call_nothing_that_stops_others(
    reader: psycopg2.extensions.connection,
) -> None:
    allowed = []
    for statement in FORBIDDEN:
        try:
            with reader, reader.cursor() as cursor:
                cursor.execute(statement)
            allowed.append(statement)
        except psycopg2.errors.InsufficientPrivilege:
            pass
    assert allowed == []


@pytest.mark.parametrize("role", ["mlops_read", "mlops_app", "mlops_web"])
@pytest.mark.parametrize("name", ["postgres", "template1"])
def test_role_connects_to_this_database_only(database: Database, role: str, name: str) -> None:
    with pytest.raises(psycopg2.OperationalError, match="permission denied for database"):
        connect({**database.environment, "PGDATABASE": name}, role)


def test_open_reader_delays_no_writer(
    database: Database, reader: psycopg2.extensions.connection
) -> None:
    with reader.cursor() as cursor:
        cursor.execute(READ_LOCKS)
    database.rows(
        "SET lock_timeout = '1s'; SELECT lock_summaries();"
        " SELECT make_events_partition('2030-01-01');"
        " SELECT move_alias('mnist', 'champion', 'a', 1, NULL, 'ann', 'best')",
        role="mlops_app",
    )
    database.set_up()


def test_read_role_leaves_connections_to_others(database: Database) -> None:
    with ExitStack() as stack:
        refused = None
        for _ in range(60):
            try:
                connection = connect(database.environment, "mlops_read")
            except psycopg2.OperationalError as error:
                refused = str(error)
                break
            stack.callback(connection.close)
        assert refused is not None
        assert 'too many connections for role "mlops_read"' in refused
        for role, count in (("mlops_app", 20), ("mlops_web", 6)):  # a pool of the dashboard: 6
            for _ in range(count):
                stack.callback(connect(database.environment, role).close)
        database.set_up()


def test_dashboard_works_whatever_the_read_role_does_to_itself(
    database: Database, reader: psycopg2.extensions.connection
) -> None:
    with reader, reader.cursor() as cursor:
        cursor.execute("ALTER ROLE mlops_read PASSWORD 'other'")
        cursor.execute("ALTER ROLE mlops_read SET search_path = nowhere")
        cursor.execute("ALTER ROLE mlops_read SET statement_timeout = 1")
    try:
        assert database.rows("SELECT count(*) FROM leaderboard", role="mlops_web") == [(0,)]
        with (
            reader,
            reader.cursor() as cursor,
            pytest.raises(psycopg2.errors.InsufficientPrivilege),
        ):
            cursor.execute("ALTER ROLE mlops_web PASSWORD 'other'")
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            database.rows(
                "SET default_transaction_read_only = off; BEGIN READ WRITE;"
                " DELETE FROM experiments",
                role="mlops_web",
            )
    finally:
        database.set_up()


@pytest.mark.slow
@pytest.mark.usefixtures("short_waits")
def test_set_up_waits_for_open_reader_and_names_it(
    database: Database,
    reader: psycopg2.extensions.connection,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """A migration needs the table that an open transaction has read."""
    folder = tmp_path / "migrations"
    shutil.copytree(db.schema.migrate.MIGRATIONS, folder)
    (folder / "9999_test.sql").write_text("ALTER TABLE predictions ADD COLUMN added integer")
    monkeypatch.setattr(db.schema.migrate, "MIGRATIONS", folder)
    with reader.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM predictions")
    monkeypatch.setattr(db.schema.locks, "MAX_WAIT_SECONDS", 1)
    holder = rf"mlops_read \(no name, process {reader.info.backend_pid}, since .* UTC\)"
    with pytest.raises(BlockedError, match=rf"An open transaction locks .*: {holder}\. End that"):
        set_up(from_environment(os.environ))
    assert "Waiting for an open transaction: mlops_read" in capsys.readouterr().out
    monkeypatch.setattr(db.schema.locks, "MAX_WAIT_SECONDS", 60)
    thread = threading.Timer(1, reader.rollback)
    thread.start()
    set_up(from_environment(os.environ))
    thread.join()
    assert database.rows("SELECT added FROM predictions") == []


@pytest.mark.slow
@pytest.mark.usefixtures("database", "short_waits")
def test_second_set_up_waits_for_the_first_and_names_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(db.schema.locks, "MAX_SETUP_SECONDS", 1)
    settings = from_environment(os.environ)
    with db.schema.locks.setup_lock(settings):
        started = time.monotonic()
        with pytest.raises(BlockedError, match=r"Another set-up .*: postgres \(mlops db-setup, "):
            set_up(settings)
        assert time.monotonic() - started < 10
    assert "Waiting for another set-up of this database: postgres" in capsys.readouterr().out
    set_up(settings)
