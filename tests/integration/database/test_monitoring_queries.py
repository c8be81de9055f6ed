"""Queries of the Monitor page on a real database, with the role of the dashboard."""

from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg2
import pytest
from sqlalchemy import Engine, create_engine

from tests.support.monitoring_images import digits
from tests.support.monitoring_rows import CHAMPION, TASK, MonitoringRows, fit_reference
from web.data.monitoring import state_queries, traffic_queries
from web.tables.monitoring.features import feature_bands

NOW = datetime.now(UTC)
NAME = f"{CHAMPION}@1"


@pytest.fixture
def rows(service_database: dict[str, str]) -> Iterator[MonitoringRows]:
    connection = psycopg2.connect(
        host=service_database["PGHOST"],
        port=int(service_database["PGPORT"]),
        dbname=service_database["PGDATABASE"],
        user=service_database["PGUSER"],
        password=service_database["PGPASSWORD"],
    )
    with closing(connection):
        yield MonitoringRows(connection)


@pytest.fixture
def engine(service_database: dict[str, str]) -> Iterator[Engine]:
    engine = create_engine(
        "postgresql+psycopg2://mlops_web:pass123@"
        f"{service_database['PGHOST']}:{service_database['PGPORT']}"
        f"/{service_database['PGDATABASE']}"
    )
    yield engine
    engine.dispose()


def test_empty_database_has_no_state(engine: Engine, rows: MonitoringRows) -> None:
    assert rows
    state = state_queries.read_state(engine)
    assert (state.seen_seconds, state.is_alive) == (None, False)
    assert (state.tasks, state.detectors, state.alerts, state.requests) == ((), (), (), ())
    assert state_queries.read_alerts(engine, TASK) == ()
    assert state_queries.read_evidence(engine, TASK, 1).empty
    assert traffic_queries.read_references(engine, "x", 1) == ()
    assert traffic_queries.read_recent(engine, "x", 1, "as_sent").labels == ()
    assert [one.empty for one in traffic_queries.read_accuracy(engine, TASK, 1)] == [True, True]
    assert [one.empty for one in traffic_queries.read_latency(engine, TASK, 1)] == [True, True]
    assert traffic_queries.read_skew(engine, TASK).empty


def test_state_has_detectors_alerts_and_requests(engine: Engine, rows: MonitoringRows) -> None:
    version = rows.version()
    rows.monitor(version, reference_id=rows.reference(version))
    rows.monitor(version, "novelty", watched=False)
    rows.alert(version)
    rows.alert(version, closed_at=NOW, closed_by="ann", close_reason="x")
    rows.one("SELECT request_reference(%s, 500, 'ann')", TASK)
    rows.heartbeat()
    state = state_queries.read_state(engine)
    assert state.is_alive
    assert state.tasks == (TASK,)
    [detector] = state.detectors
    assert (detector.pinned_name, detector.state, detector.threshold) == (NAME, "drifting", 7.0)
    assert (detector.origin, detector.reference_images) == ("test", 1500)
    [alert] = state.alerts
    assert [one.feature for one in alert.features] == ["peak", "lit"]
    assert (alert.sources["python-requests"], alert.example_count) == (0.93, 0)
    assert [(one.images, one.requested_by) for one in state.requests] == [(500, "ann")]
    rows.heartbeat(timedelta(minutes=1))
    assert not state_queries.read_state(engine).is_alive


def test_alerts_come_open_first_then_latest(engine: Engine, rows: MonitoringRows) -> None:
    version = rows.version()
    closed: dict[str, Any] = {"closed_at": NOW, "closed_by": "ann", "close_reason": "x"}
    first = rows.alert(version)
    second, third = (rows.alert(version, **closed) for _ in range(2))
    rows.alert(None, task="letters", kind="log", family="log", families=["log"])
    alerts = state_queries.read_alerts(engine, TASK)
    assert [one.id for one in alerts] == [first, third, second]


def test_ordinary_images_are_from_before_the_onset(engine: Engine, rows: MonitoringRows) -> None:
    version = rows.version()
    old, old_labels = digits(12, 1)
    new, new_labels = digits(12, 2)
    rows.predictions(version, old, old_labels)
    ids = rows.predictions(version, new, new_labels)
    onset = rows.one("SELECT number FROM predictions WHERE image_id = %s", ids[0])
    alert = rows.alert(version, ids[:8], onset_number=onset)
    rows.one("DELETE FROM image_pixels WHERE image_id = %s", ids[1])
    examples = state_queries.read_examples(engine, alert)
    assert [one.pixels for one in examples.strange] == [
        new[index].tobytes() for index in (0, 2, 3, 4, 5, 6, 7)
    ]
    assert [one.label for one in examples.ordinary] == old_labels[:3:-1]
    assert examples.ordinary[0].pixels == old[-1].tobytes()


def test_long_line_keeps_its_peak(engine: Engine, rows: MonitoringRows) -> None:
    monitor = rows.monitor(rows.version())
    evidence = [0.1] * 3000
    evidence[1234] = 6.5
    rows.one(
        "INSERT INTO drift_checks (monitor_id, at, images, examined, evidence, highest)"
        " SELECT %s, now() - interval '1 second' * (3000 - n), 100 * n, 100, e, e"
        " FROM unnest(%s::float[]) WITH ORDINALITY AS t (e, n)",
        monitor,
        evidence,
    )
    rows.checks(monitor, [3.0], first_image=1, until=NOW - timedelta(days=2))
    line = state_queries.read_evidence(engine, TASK, 1)
    assert len(line) <= state_queries.MAX_POINTS + 1
    assert (line["evidence"].max(), line["images"].max()) == (6.5, 300_000)
    assert line["images"].is_monotonic_increasing


def test_recent_images_fit_their_reference(engine: Engine, rows: MonitoringRows) -> None:
    version = rows.version()
    rows.reference(version)
    images, labels = digits(230, 3)
    rows.predictions(version, images, labels)
    [reference] = traffic_queries.read_references(engine, CHAMPION, 1)
    recent = traffic_queries.read_recent(engine, CHAMPION, 1, "as_sent")
    assert len(recent.labels) == traffic_queries.RECENT_IMAGES
    assert recent.pixels[:784] == images[-1].tobytes()
    bands = feature_bands(reference, recent)
    assert bands is not None
    assert bands.names == fit_reference()[0].feature_names
    assert bands.outside().max() < 0.3
    assert traffic_queries.read_recent(engine, CHAMPION, 1, "framed").labels == ()


def test_accuracy_latency_and_skew(engine: Engine, rows: MonitoringRows) -> None:
    version = rows.version()
    rows.monitor(version)
    ids = rows.predictions(version, *digits(40, 4))
    for number, image in enumerate(ids[:10]):
        label = rows.one("SELECT label FROM predictions WHERE image_id = %s", image)
        rows.insert(
            "labels", image_id=image, task=TASK, label=label if number else "x", labelled_by="ann",
            source="random",
        )  # fmt: skip
    live, test = traffic_queries.read_accuracy(engine, TASK, 1)
    assert (live["images"].sum(), live["correct"].sum()) == (10, 9)
    assert list(test["test_accuracy"]) == [0.991]
    latency, traffic = traffic_queries.read_latency(engine, TASK, 1)
    assert list(latency["answers"]) == [40]
    assert 2 <= latency["p50"][0] <= latency["p99"][0] <= 8
    assert traffic["answers"].sum() == 40
    rows.reference(version)
    rows.reference(version, origin="traffic", shift=0.5)
    skew = traffic_queries.read_skew(engine, TASK)
    assert skew["shift"].dropna().round(6).unique().tolist() == [0.5]


def test_pixels_of_the_newest_and_newest_labeled_images_are_kept(rows: MonitoringRows) -> None:
    images, labels = digits(20, 1)
    ids = rows.predictions(rows.version(), images, labels)
    labeled = ids[:8]
    for image in labeled:
        rows.insert("labels", image_id=image, task=TASK, label="7", labelled_by="ann")
    assert rows.one("SELECT expire_pixels(5)") == 10
    kept = rows.one("SELECT array_agg(image_id::text ORDER BY number) FROM image_pixels")
    assert [one.replace("-", "") for one in kept] == [*labeled[-5:], *ids[-5:]]
    assert rows.one("SELECT expire_pixels(5)") == 0
    assert rows.one("SELECT expire_pixels()") == 0
