"""Event retention runs at intervals, and its failure does not stop the shipper."""

import logging
from typing import Any, cast

import psycopg2
import pytest

from inference.database.retention import RetentionClock
from inference.prediction_log import event_retention
from inference.prediction_log.event_retention import EventRetention


class FakeConnection:
    """Connection and cursor that return names of dropped months, or fail."""

    def __init__(self) -> None:
        self.closed = 0
        self.calls = self.pixel_calls = 0
        self.failure: psycopg2.Error | None = None

    def cursor(self) -> "FakeConnection":
        return self

    def __enter__(self) -> "FakeConnection":
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def execute(self, statement: str, _arguments: object = None) -> None:
        self.pixel_calls += "expire_pixels" in statement
        if "expire_events" in statement:
            self.calls += 1
            if self.failure is not None:
                raise self.failure

    def fetchone(self) -> list[float]:
        return [1.0]

    def fetchall(self) -> list[tuple[str]]:
        return [("prediction_events_2020_01",)]


def expire(retention: EventRetention, connection: FakeConnection) -> None:
    retention.expire_if_due(cast("Any", connection))


def test_expire_runs_at_intervals(caplog: pytest.LogCaptureFixture) -> None:
    retention, connection = EventRetention(RetentionClock()), FakeConnection()
    with caplog.at_level(logging.INFO):
        expire(retention, connection)
        expire(retention, connection)
    assert (connection.calls, connection.pixel_calls) == (1, 1)
    assert "prediction_events_2020_01" in caplog.text


def test_failure_is_logged_once_and_lost_connection_raised(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(event_retention, "CHECK_SECONDS", 0.0)
    retention, connection = EventRetention(RetentionClock()), FakeConnection()
    connection.failure = psycopg2.OperationalError("lock timeout")
    expire(retention, connection)
    expire(retention, connection)
    assert caplog.text.count("cannot be dropped") == 1
    assert connection.pixel_calls == 2
    connection.closed = 2
    with pytest.raises(psycopg2.OperationalError):
        expire(retention, connection)
