"""Heartbeat without Postgres; tests/integration/prediction_log/test_replicas.py has the rest."""

import threading

import psycopg2
import pytest

from inference.database import replicas
from inference.database.replicas import Heartbeat


@pytest.fixture
def heartbeat(monkeypatch: pytest.MonkeyPatch) -> Heartbeat:
    """A heartbeat without a server."""
    monkeypatch.setenv("PGHOST", "127.0.0.1")
    monkeypatch.setenv("PGPORT", "1")
    return Heartbeat("id", lambda _connection: None)


def test_run_goes_on_without_postgres_until_it_stops(
    heartbeat: Heartbeat, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(replicas, "BEAT_SECONDS", 0.01)
    beats: list[int] = []
    beat = heartbeat.beat

    def count() -> None:
        beats.append(1)
        beat()

    monkeypatch.setattr(heartbeat, "beat", count)
    stopping = threading.Event()
    thread = threading.Thread(target=heartbeat.run, args=[stopping])
    thread.start()
    while len(beats) < 2:
        assert thread.is_alive()
    stopping.set()
    thread.join(10)
    assert not thread.is_alive()


def test_beat_reports_a_server_that_is_away(heartbeat: Heartbeat) -> None:
    with pytest.raises(psycopg2.OperationalError):
        heartbeat.beat()
    heartbeat.leave()
