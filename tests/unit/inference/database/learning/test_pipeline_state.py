"""Pipeline state: read at intervals, and never in the way of the shipper."""

import logging
from typing import Any, cast

import psycopg2
import pytest

from inference.database.learning import pipeline_state
from inference.database.learning.pipeline_state import PipelineReader


class FakeConnection:
    """Answers the query of runs, then that of workers. Also its own cursor."""

    def __init__(self) -> None:
        self.runs: list[tuple[Any, ...]] = []
        self.error: psycopg2.Error | None = None
        self.closed = 0
        self.statements = 0

    def __enter__(self) -> "FakeConnection":
        return self

    def __exit__(self, *_error: object) -> None:
        pass

    def cursor(self) -> "FakeConnection":
        return self

    def execute(self, _statement: str, _arguments: object = None) -> None:
        if self.error is not None:
            raise self.error
        self.statements += 1

    def fetchall(self) -> list[tuple[Any, ...]]:
        return self.runs if self.statements % 2 else [(3,)]


@pytest.fixture
def connection() -> FakeConnection:
    return FakeConnection()


def read(reader: PipelineReader, connection: FakeConnection) -> Any:
    return reader.read_if_due(cast("Any", connection))


def test_state_names_all_states_and_times(connection: FakeConnection) -> None:
    connection.runs = [("QUEUED", 2, 7.5, None), ("SUCCEEDED", 4, 99.0, 1000.0)]
    state = read(PipelineReader(), connection)
    assert state.runs == {
        "QUEUED": 2, "RUNNING": 0, "SUCCEEDED": 4, "FAILED": 0, "CANCELLED": 0,
    }  # fmt: skip
    assert (state.queued_seconds, state.workers, state.last_success_at) == (7.5, 3, 1000.0)


def test_state_of_an_empty_pipeline(connection: FakeConnection) -> None:
    state = read(PipelineReader(), connection)
    assert (state.queued_seconds, state.last_success_at, sum(state.runs.values())) == (0, None, 0)


def test_state_is_read_at_intervals(
    connection: FakeConnection, monkeypatch: pytest.MonkeyPatch
) -> None:
    reader = PipelineReader()
    first = read(reader, connection)
    assert read(reader, connection) is first
    assert connection.statements == 2
    monkeypatch.setattr(pipeline_state, "READ_SECONDS", 0)
    assert read(reader, connection) is not first


def test_failure_is_logged_once_and_keeps_the_state(
    connection: FakeConnection, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr(pipeline_state, "READ_SECONDS", 0)
    reader = PipelineReader()
    first = read(reader, connection)
    connection.error = psycopg2.ProgrammingError("permission denied\nHINT: none")
    with caplog.at_level(logging.WARNING):
        assert read(reader, connection) is first
        assert read(reader, connection) is first
    [record] = caplog.records
    assert record.getMessage() == "The metrics of the pipeline are missing. permission denied"


def test_lost_connection_is_raised(connection: FakeConnection) -> None:
    connection.error, connection.closed = psycopg2.OperationalError("gone"), 2
    with pytest.raises(psycopg2.OperationalError):
        read(PipelineReader(), connection)
