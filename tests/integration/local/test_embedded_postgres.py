"""Embedded Postgres: restarts, crashes, leftovers and root."""

from __future__ import annotations

import dataclasses
import os
import shutil
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg2
import pytest

from local import account, ports, settings
from local.postgres import Postgres, StartError

pytestmark = pytest.mark.slow


def query(dsn: str, statement: str) -> list[tuple[object, ...]]:
    """Run one statement in its own transaction and return its rows."""
    connection = psycopg2.connect(dsn)
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(statement)
            return cursor.fetchall() if cursor.description else []
    finally:
        connection.close()


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Postgres]:
    """A separate server, not started."""
    chosen = {"LOCAL_DIR": str(tmp_path / "a folder"), "DB_PORT": str(ports.find_free())}
    server = Postgres(settings.read(chosen))
    try:
        yield server
    finally:
        server.stop(timeout_seconds=5)
        server.terminate_leftovers()


def test_server_is_postgres_18_utf8_on_loopback_only(postgres: Postgres) -> None:
    rows = query(
        postgres.settings.dsn,
        "SELECT current_setting('server_version_num')::int / 10000,"
        " current_setting('server_encoding'), current_setting('listen_addresses'),"
        " current_setting('unix_socket_directories'), current_database()::text",
    )
    assert rows == [(18, "UTF8", "127.0.0.1", "", "mlopsdb")]


def test_server_rejects_a_wrong_password(postgres: Postgres) -> None:
    wrong = dataclasses.replace(postgres.settings, owner_password="guess")
    with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
        query(wrong.dsn, "SELECT 1")


def test_rows_survive_a_restart(server: Postgres) -> None:
    server.open()
    query(server.settings.dsn, "CREATE TABLE kept AS SELECT 1 AS n")
    server.stop(timeout_seconds=10)
    server.open()
    assert query(server.settings.dsn, "SELECT n FROM kept") == [(1,)]


def test_rows_survive_a_killed_postmaster(server: Postgres) -> None:
    server.open()
    query(server.settings.dsn, "CREATE TABLE kept (n int)")
    for number in range(20):
        query(server.settings.dsn, f"INSERT INTO kept VALUES ({number})")
    server.kill()
    server.open()
    assert query(server.settings.dsn, "SELECT count(*), max(n) FROM kept") == [(20, 19)]


def test_open_stops_a_leftover_server(server: Postgres) -> None:
    server.open()
    query(server.settings.dsn, "CREATE TABLE kept AS SELECT 1 AS n")
    left_behind = server.pid
    successor = Postgres(server.settings)
    try:
        successor.open()
        assert successor.pid != left_behind
        assert query(server.settings.dsn, "SELECT n FROM kept") == [(1,)]
    finally:
        successor.stop(timeout_seconds=5)


def test_open_ignores_a_stale_pid_file(server: Postgres) -> None:
    server.open()
    server.kill()
    pid_file = server.data / "postmaster.pid"
    lines = pid_file.read_text().split("\n")
    pid_file.write_text("\n".join([str(psutil.Process().ppid()), *lines[1:]]))
    server.open()
    assert query(server.settings.dsn, "SELECT 1") == [(1,)]


def test_open_repeats_an_interrupted_initdb(server: Postgres) -> None:
    partial = server.data.with_name("pgdata.new")
    partial.mkdir(parents=True)
    (partial / "PG_VERSION").write_text("18\n")
    server.open()
    assert query(server.settings.dsn, "SELECT 1") == [(1,)]


def test_open_sets_a_changed_password(server: Postgres) -> None:
    server.open()
    server.stop(timeout_seconds=10)
    changed = Postgres(dataclasses.replace(server.settings, owner_password='it\'s "new" /@:é'))
    try:
        changed.open()
        assert query(changed.settings.dsn, "SELECT 1") == [(1,)]
    finally:
        changed.stop(timeout_seconds=5)


def test_open_rejects_data_of_another_major_version(server: Postgres) -> None:
    server.data.mkdir(parents=True)
    (server.data / "PG_VERSION").write_text("15\n")
    with pytest.raises(StartError, match="Postgres 15"):
        server.open()


as_root = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("setpriv") is None, reason="needs root on Linux"
)


@as_root
def test_open_as_root_switches_the_user(server: Postgres) -> None:
    server.open()
    assert server.account.prefix[0] in ("unshare", "setpriv")


@as_root
@pytest.mark.parametrize("mode", [0o755, 0o700])
def test_open_as_root_without_namespaces_runs_as_nobody(
    server: Postgres, monkeypatch: pytest.MonkeyPatch, mode: int
) -> None:
    real = account._succeeds
    monkeypatch.setattr(
        account, "_succeeds", lambda command: command[0] != "unshare" and real(command)
    )
    server.settings.directory.mkdir(parents=True)
    server.settings.directory.chmod(mode)
    server.open()
    assert server.pid is not None
    assert psutil.Process(server.pid).uids().real == account.NOBODY
    assert query(server.settings.dsn, "SELECT 1") == [(1,)]


@as_root
def test_open_as_root_changes_the_data_owner_as_needed(
    server: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.open()
    query(server.settings.dsn, "CREATE TABLE kept AS SELECT 1 AS n")
    server.stop(timeout_seconds=10)
    with monkeypatch.context() as patch:
        real = account._succeeds
        patch.setattr(
            account, "_succeeds", lambda command: command[0] != "unshare" and real(command)
        )
        server.open()
        server.stop(timeout_seconds=10)
    server.open()
    assert query(server.settings.dsn, "SELECT n FROM kept") == [(1,)]
