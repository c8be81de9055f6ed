"""Embedded Postgres: restarts, crashes, leftover processes, ports and root."""

from __future__ import annotations

import dataclasses
import os
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path

import psutil
import psycopg2
import pytest

from local import account, ports, settings
from local.postgres import Postgres, StartError


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
def own(tmp_path: Path) -> Iterator[Postgres]:
    """A stopped server of one test."""
    chosen = {"LOCAL_DIR": str(tmp_path / "a folder"), "DB_PORT": str(ports.free())}
    server = Postgres(settings.read(chosen))
    try:
        yield server
    finally:
        server.stop(patience_seconds=5)
        server.end_leftovers()


def test_server_is_postgres_18_on_loopback_tcp_only(postgres: Postgres) -> None:
    rows = query(
        postgres.settings.dsn,
        "SELECT current_setting('server_version_num')::int / 10000,"
        " current_setting('server_encoding'), current_setting('listen_addresses'),"
        " current_setting('unix_socket_directories'), current_database()::text",
    )
    assert rows == [(18, "UTF8", "127.0.0.1", "", "mlopsdb")]


def test_wrong_password_is_rejected(postgres: Postgres) -> None:
    wrong = dataclasses.replace(postgres.settings, owner_password="guess")
    with pytest.raises(psycopg2.OperationalError, match="password authentication failed"):
        query(wrong.dsn, "SELECT 1")


def test_restart_keeps_rows(own: Postgres) -> None:
    own.open()
    query(own.settings.dsn, "CREATE TABLE kept AS SELECT 1 AS n")
    own.stop(patience_seconds=10)
    own.open()
    assert query(own.settings.dsn, "SELECT n FROM kept") == [(1,)]


def test_kill_9_loses_no_committed_row(own: Postgres) -> None:
    own.open()
    query(own.settings.dsn, "CREATE TABLE kept (n int)")
    for number in range(20):
        query(own.settings.dsn, f"INSERT INTO kept VALUES ({number})")
    own.kill()
    own.open()
    assert query(own.settings.dsn, "SELECT count(*), max(n) FROM kept") == [(20, 19)]


def test_start_ends_server_left_by_a_crash(own: Postgres) -> None:
    own.open()
    query(own.settings.dsn, "CREATE TABLE kept AS SELECT 1 AS n")
    left_behind = own.pid
    successor = Postgres(own.settings)
    try:
        successor.open()
        assert successor.pid != left_behind
        assert query(own.settings.dsn, "SELECT n FROM kept") == [(1,)]
    finally:
        successor.stop(patience_seconds=5)


def test_start_ignores_pid_file_of_another_process(own: Postgres) -> None:
    own.open()
    own.kill()
    pid_file = own.data / "postmaster.pid"
    lines = pid_file.read_text().split("\n")
    pid_file.write_text("\n".join([str(psutil.Process().ppid()), *lines[1:]]))
    own.open()
    assert query(own.settings.dsn, "SELECT 1") == [(1,)]


def test_start_repeats_an_interrupted_initdb(own: Postgres) -> None:
    half = own.data.with_name("pgdata.new")
    half.mkdir(parents=True)
    (half / "PG_VERSION").write_text("18\n")
    own.open()
    assert query(own.settings.dsn, "SELECT 1") == [(1,)]


def test_start_sets_a_changed_password(own: Postgres) -> None:
    own.open()
    own.stop(patience_seconds=10)
    changed = Postgres(dataclasses.replace(own.settings, owner_password='it\'s "new" /@:é'))
    try:
        changed.open()
        assert query(changed.settings.dsn, "SELECT 1") == [(1,)]
    finally:
        changed.stop(patience_seconds=5)


def test_obstacle_names_the_process_of_a_used_port() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        assert f"is taken by process {os.getpid()}" in str(ports.obstacle(taken.getsockname()[1]))


@pytest.mark.skipif(not socket.has_ipv6, reason="no IPv6")
def test_obstacle_finds_a_listener_on_ipv6_only() -> None:
    try:
        taken = socket.create_server(("::1", ports.free()), family=socket.AF_INET6)
    except OSError:
        pytest.skip("no IPv6 on loopback")
    with taken:
        assert ports.obstacle(taken.getsockname()[1]) is not None


def test_start_rejects_data_of_another_major_version(own: Postgres) -> None:
    own.data.mkdir(parents=True)
    (own.data / "PG_VERSION").write_text("15\n")
    with pytest.raises(StartError, match="Postgres 15"):
        own.open()


as_root = pytest.mark.skipif(
    os.geteuid() != 0 or shutil.which("setpriv") is None, reason="needs root on Linux"
)


@as_root
def test_start_as_root_runs_as_another_user(own: Postgres) -> None:
    own.open()
    assert own.account.prefix[0] in ("unshare", "setpriv")


@as_root
@pytest.mark.parametrize("mode", [0o755, 0o700])
def test_start_as_root_without_namespaces_runs_as_nobody(
    own: Postgres, monkeypatch: pytest.MonkeyPatch, mode: int
) -> None:
    real = account._runs
    monkeypatch.setattr(account, "_runs", lambda command: command[0] != "unshare" and real(command))
    own.settings.directory.mkdir(parents=True)
    own.settings.directory.chmod(mode)
    own.open()
    assert own.pid is not None
    assert psutil.Process(own.pid).uids().real == account.NOBODY
    assert query(own.settings.dsn, "SELECT 1") == [(1,)]


@as_root
def test_start_as_root_adopts_data_of_either_account(
    own: Postgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    own.open()
    query(own.settings.dsn, "CREATE TABLE kept AS SELECT 1 AS n")
    own.stop(patience_seconds=10)
    with monkeypatch.context() as patch:
        real = account._runs
        patch.setattr(account, "_runs", lambda command: command[0] != "unshare" and real(command))
        own.open()
        own.stop(patience_seconds=10)
    own.open()
    assert query(own.settings.dsn, "SELECT n FROM kept") == [(1,)]
