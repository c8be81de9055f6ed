"""Replicas with different model directories on one Postgres: each speaks for itself only."""

import time
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine

from inference.background import restore_states
from inference.database.connection import connect
from inference.database.replicas import Heartbeat
from inference.models.replica import Replica
from inference.models.version import ModelVersion, State
from inference.observability.metrics import Metrics
from inference.prediction_log.journal import Journal
from inference.prediction_log.recorder import PredictionLog
from inference.prediction_log.segments import list_segments
from inference.prediction_log.writer import TableWriter
from tests.support import database
from web.data.monitoring.replicas import read_served

STATES = "SELECT experiment_name, status, reason FROM model_versions ORDER BY 1"
SERVED = "SELECT experiment_name, replicas, of FROM served ORDER BY 1"


def version(name: str, state: State = State.READY, reason: str | None = None) -> ModelVersion:
    return ModelVersion(name, state, digest=name * 64, classes=("x", "y"), reason=reason)


class Service:
    """The log of one replica, and its shipper and heartbeat."""

    def __init__(self, folder: Path, port: int) -> None:
        self.replica = Replica.find(folder, port)
        self._folder = folder
        self._log = PredictionLog(
            Journal(folder, 2**20),
            Metrics(),
            keeps_originals=False,
            refuses=True,
            replica=self.replica,
        )
        self._shipped = 0
        self.heartbeat = Heartbeat(self.replica.id, partial(restore_states, self.replica))

    def has(self, *versions: ModelVersion) -> None:
        """Change the model directory, and ship what the log says of it."""
        self._log.record_versions(versions)
        lines = [
            line
            for segment in list_segments(self._folder)
            for line in segment.lines(0, segment.path.stat().st_size)
        ]
        with closing(connect("test")) as connection:
            TableWriter(connection, lambda: None).write(lines[self._shipped :])
        self._shipped = len(lines)


class Replicas:
    """Two services, and the database that they share."""

    def __init__(self, folder: Path, variables: dict[str, str]) -> None:
        self._variables = variables
        self.first, self.second = (Service(folder / name, 9090) for name in ("first", "second"))

    def rows(self, statement: str, role: str | None = None) -> list[tuple[object, ...]]:
        with (
            closing(database.connect(self._variables, role)) as connection,
            connection,
            connection.cursor() as cursor,
        ):
            cursor.execute(statement)
            return cursor.fetchall() if cursor.description else []

    def engine(self) -> Engine:
        """Return the dashboard's way to the database."""
        return create_engine(
            "postgresql+psycopg2://",
            creator=lambda: database.connect(self._variables, "mlops_web"),
        )

    def age(self, service: Service, seconds: int) -> None:
        """Make the last sign of life of a service older."""
        self.rows(
            f"UPDATE replicas SET seen_at = seen_at - interval '{seconds} s'"
            f" WHERE id = '{service.replica.id}'"
        )


@pytest.fixture
def replicas(tmp_path: Path, service_database: dict[str, str]) -> Replicas:
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
    return Replicas(tmp_path, service_database)


def test_replica_leaves_alone_what_another_one_has(replicas: Replicas) -> None:
    replicas.first.has(version("a"), version("b"))
    replicas.second.has(version("b"), version("c"))
    ready = [("a", "READY", None), ("b", "READY", None), ("c", "READY", None)]
    assert replicas.rows(STATES) == ready
    assert replicas.rows(SERVED, "mlops_read") == [("a", 1, 2), ("b", 2, 2), ("c", 1, 2)]
    replicas.second.has(version("c"))
    assert replicas.rows(STATES) == ready
    assert replicas.rows(SERVED) == [("a", 1, 2), ("b", 1, 2), ("c", 1, 2)]
    replicas.first.has(version("a"))
    assert replicas.rows(STATES) == [
        ("a", "READY", None),
        ("b", "GONE", None),
        ("c", "READY", None),
    ]


def test_versions_of_a_killed_replica_are_gone_after_a_minute(replicas: Replicas) -> None:
    replicas.first.has(version("a"), version("b"))
    replicas.second.has(version("b"))
    replicas.age(replicas.first, 50)
    replicas.second.heartbeat.beat()
    assert replicas.rows(STATES) == [("a", "READY", None), ("b", "READY", None)]
    replicas.age(replicas.first, 11)
    replicas.second.heartbeat.beat()
    assert replicas.rows(STATES) == [("a", "GONE", None), ("b", "READY", None)]
    assert replicas.rows(SERVED) == [("b", 1, 1)]
    replicas.first.heartbeat.beat()  # it was only cut off
    assert replicas.rows(STATES) == [("a", "READY", None), ("b", "READY", None)]
    replicas.age(replicas.first, 24 * 3600 + 1)
    replicas.second.heartbeat.beat()
    assert replicas.rows("SELECT id FROM replicas") == [(replicas.second.replica.id,)]


def test_best_state_counts_and_each_replica_keeps_its_reason(replicas: Replicas) -> None:
    replicas.first.has(version("a", State.FAILED, "no memory"), version("b", State.LOADING))
    replicas.second.has(version("a", State.FAILED, "no card"), version("b", State.FAILED, "broken"))
    assert replicas.rows(STATES) == [("a", "FAILED", "no memory"), ("b", "LOADING", None)]
    replicas.second.has(version("a"), version("b", State.FAILED, "broken"))
    assert replicas.rows(STATES) == [("a", "READY", None), ("b", "LOADING", None)]
    assert replicas.rows(SERVED) == [("a", 1, 2), ("b", 0, 2)]
    assert replicas.rows(
        "SELECT m.experiment_name, v.reason FROM replica_versions v"
        " JOIN model_versions m ON m.id = v.model_version_id WHERE v.reason IS NOT NULL ORDER BY 1"
    ) == [("a", "no memory"), ("b", "broken")]


def test_dashboard_reads_by_how_many_a_version_is_served(replicas: Replicas) -> None:
    replicas.first.has(version("a"), version("b"))
    replicas.second.has(version("a"), version("b", State.FAILED, "broken"))
    engine = replicas.engine()
    with engine.connect() as connection:
        served = read_served(connection)
    engine.dispose()
    assert served.differing == {("b", 1, "b" * 64): 1}
    assert served.describe("a", 1, "a" * 64) == "2 of 2 replicas"


def test_stopped_replica_leaves_at_once_and_the_last_one_changes_nothing(
    replicas: Replicas,
) -> None:
    replicas.first.has(version("a"))
    replicas.second.has(version("b"))
    replicas.first.heartbeat.leave()
    replicas.second.heartbeat.beat()
    assert replicas.rows(STATES) == [("a", "GONE", None), ("b", "READY", None)]
    replicas.second.heartbeat.leave()
    replicas.second.replica.forget()
    replicas.second.heartbeat.beat()  # of the next service, which loads its models
    assert replicas.rows("SELECT id FROM replicas") == []
    assert replicas.rows(STATES) == [("a", "GONE", None), ("b", "READY", None)]


def test_database_that_lost_a_replica_gets_its_states_again(replicas: Replicas) -> None:
    replicas.first.has(version("a"), version("b", State.FAILED, "broken"))
    replicas.rows("TRUNCATE replicas, replica_versions, model_versions CASCADE")
    replicas.first.heartbeat.beat()
    assert replicas.rows(STATES) == [("a", "READY", None), ("b", "FAILED", "broken")]
    assert replicas.rows(SERVED) == [("a", 1, 1), ("b", 0, 1)]


def test_record_that_waited_for_postgres_takes_nothing_back(
    replicas: Replicas, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also before the next sign of life of its replica, which is the only one."""
    late = time.time_ns() - 120 * 10**9
    with monkeypatch.context() as patch:
        patch.setattr("inference.prediction_log.recorder.time.time_ns", lambda: late)
        replicas.first.has(version("a"))
    assert replicas.rows(STATES) == [("a", "READY", None)]
    replicas.first.heartbeat.beat()
    assert replicas.rows(SERVED) == [("a", 1, 1)]


def test_record_that_waited_for_a_day_revives_no_replica(
    replicas: Replicas, monkeypatch: pytest.MonkeyPatch
) -> None:
    replicas.second.has(version("b"))
    with monkeypatch.context() as patch:
        patch.setattr(
            "inference.prediction_log.recorder.time.time_ns", lambda: 1_700_000_000 * 10**9
        )
        replicas.first.has(version("a"))
    assert replicas.rows(STATES) == [("a", "GONE", None), ("b", "READY", None)]
    assert replicas.rows(SERVED) == [("b", 1, 1)]
