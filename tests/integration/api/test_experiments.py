"""Experiments of the database while Postgres starts, stops and hangs."""

import os
import resource
import socket
import time
from concurrent.futures import ThreadPoolExecutor

import psycopg2
import pytest

from db.initialize import set_up
from db.settings import from_environment
from inference.database.experiments import Experiments
from inference.database.pool import MAX_CONNECTIONS, TIMEOUT_SECONDS, Database
from inference.errors import DatabaseUnavailableError, UnknownExperimentError

HEADER = "Experiment Name,Learning Rate,Momentum,Loss\n"


@pytest.fixture
def environment(empty_database: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    for name, value in empty_database.items():
        monkeypatch.setenv(name, value)
    return empty_database


def test_empty_table_gives_no_experiments(environment: dict[str, str]) -> None:
    set_up(from_environment(environment))
    database = Database()
    experiments = Experiments(database)
    with psycopg2.connect("") as connection, connection.cursor() as cursor:
        cursor.execute("DELETE FROM experiments")
    connection.close()
    assert experiments.all() == []
    with pytest.raises(UnknownExperimentError):
        experiments.one("unknown")
    database.close()


def test_concurrent_queries_are_all_answered(
    environment: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    # A busy machine takes longer than a healthy Postgres may.
    for limit in ("QUEUE_SECONDS", "TIMEOUT_SECONDS"):
        monkeypatch.setattr(f"inference.database.pool.{limit}", 60)
    set_up(from_environment(environment))
    database = Database()
    experiments = Experiments(database)
    with ThreadPoolExecutor(10) as threads:
        answers = list(threads.map(lambda _: experiments.all(), range(100)))
    assert len(answers[0]) > 0
    assert answers == [answers[0]] * 100
    database.close()


def test_broken_connections_are_replaced(environment: dict[str, str]) -> None:
    set_up(from_environment(environment))
    database = Database()
    experiments = Experiments(database)
    before = experiments.all()
    held = [database._pool.getconn() for _ in range(MAX_CONNECTIONS)]
    for connection in held:
        database._pool.putconn(connection)
    killer = psycopg2.connect("")
    with killer, killer.cursor() as cursor:
        cursor.execute(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity"
            " WHERE application_name = 'mlops inference'"
        )
        assert cursor.fetchone() != (0,)
    killer.close()
    assert experiments.all() == before
    database.close()


@pytest.mark.usefixtures("environment")
def test_database_without_schema_raises() -> None:
    database = Database()
    experiments = Experiments(database)
    with pytest.raises(DatabaseUnavailableError, match="schema is missing or outdated"):
        experiments.all()
    database.close()


def test_unreachable_postgres_raises(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        monkeypatch.setenv("PGHOST", "127.0.0.1")
        monkeypatch.setenv("PGPORT", str(unused.getsockname()[1]))
        with pytest.raises(DatabaseUnavailableError):
            Database().check()


def test_hanging_postgres_raises_in_time_then_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        monkeypatch.setenv("PGHOST", "127.0.0.1")
        monkeypatch.setenv("PGPORT", str(silent.getsockname()[1]))
        database = Database()
        started = time.monotonic()
        with pytest.raises(DatabaseUnavailableError):
            database.check()
        assert time.monotonic() - started < 3 * TIMEOUT_SECONDS, "it must not wait forever"
        started = time.monotonic()
        with pytest.raises(DatabaseUnavailableError):
            database.check()
        assert time.monotonic() - started < TIMEOUT_SECONDS / 2


@pytest.mark.usefixtures("environment")
def test_process_with_many_open_files_reaches_postgres() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 4096), hard))
    held = [os.dup(0) for _ in range(1100)]
    try:
        Database().check()
    finally:
        for descriptor in held:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
