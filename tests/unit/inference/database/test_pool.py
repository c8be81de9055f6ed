"""A query ends in time without a server and with a server that never answers."""

import socket
import threading
import time
from collections.abc import Iterator

import pytest

from inference.database import pool
from inference.database.pool import Database
from inference.errors import DatabaseUnavailableError


@pytest.fixture(autouse=True)
def no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGHOST", "127.0.0.1")
    monkeypatch.setenv("PGPORT", "1")


@pytest.fixture
def database(monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    monkeypatch.setattr(pool, "TIMEOUT_SECONDS", 0.3)
    database = Database()
    yield database
    database.close()


@pytest.fixture
def frozen_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        monkeypatch.setenv("PGPORT", str(server.getsockname()[1]))
        yield


def seconds_to_fail(database: Database) -> float:
    started_at = time.monotonic()
    with pytest.raises(DatabaseUnavailableError):
        database.check()
    return time.monotonic() - started_at


def test_query_without_a_server_fails_at_once(database: Database) -> None:
    assert seconds_to_fail(database) < 0.3


@pytest.mark.usefixtures("frozen_server")
def test_query_to_a_frozen_server_times_out_then_pauses(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert 0.3 <= seconds_to_fail(database) < 1
    assert seconds_to_fail(database) < 0.1
    monkeypatch.setattr(database, "_paused_until", 0.0)
    assert seconds_to_fail(database) >= 0.3


@pytest.mark.usefixtures("frozen_server")
def test_query_beyond_the_connections_queues_briefly(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "TIMEOUT_SECONDS", 2.0)
    threads = [
        threading.Thread(target=seconds_to_fail, args=[database])
        for _ in range(pool.MAX_CONNECTIONS)
    ]
    for thread in threads:
        thread.start()
    time.sleep(0.1)
    assert pool.QUEUE_SECONDS <= seconds_to_fail(database) < 1
    for thread in threads:
        thread.join()
