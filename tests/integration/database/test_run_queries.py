"""Queries of the Run page on a real database, with the role of the dashboard."""

import math
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import psycopg2
import pytest
from sqlalchemy import Engine, create_engine, event

from tests.support import learning_rows
from tests.support.learning_rows import CHAMPION, EXPERIMENT, TASK
from web.data.tracking import run_queries
from web.data.tracking.curve_store import CurveStore

RUN_ID = "0123456789abcdef" * 2
OWNER = ("PGHOST", "PGPORT", "PGDATABASE", "PGUSER", "PGPASSWORD")


@pytest.fixture
def cursor(service_database: dict[str, str]) -> Iterator[Any]:
    """A cursor of the owner, who commits each statement."""
    host, port, name, user, password = (service_database[key] for key in OWNER)
    connection = psycopg2.connect(
        host=host, port=int(port), dbname=name, user=user, password=password
    )
    connection.autocommit = True
    with closing(connection), connection.cursor() as cursor:
        yield cursor


@pytest.fixture
def engine(service_database: dict[str, str]) -> Iterator[Engine]:
    engine = create_engine(
        "postgresql+psycopg2://mlops_web:pass123@"
        f"{service_database['PGHOST']}:{service_database['PGPORT']}"
        f"/{service_database['PGDATABASE']}"
    )
    yield engine
    engine.dispose()


@pytest.fixture
def run(cursor: Any) -> int:
    """A running run with a previous name, without points."""
    cursor.execute(
        "INSERT INTO experiments (name, task, params, metrics, source, state, run_id, project_id,"
        " owner, tags, started_at, heartbeat_at) VALUES ('lenet', 'mnist', '{\"lr\": 0.1}',"
        " '{\"test_accuracy\": 0.9}', 'mlflow', 'running', %s, 0, 'ann', '{\"dataset\": \"v2\"}',"
        " now(), now()) RETURNING id",
        [RUN_ID],
    )
    number = int(cursor.fetchone()[0])
    cursor.execute(
        "INSERT INTO previous_names (name, experiment_id, renamed_by) VALUES ('old', %s, 'ann')",
        [number],
    )
    return number


def log(cursor: Any, run: int, metric: str, steps: list[int], values: list[float]) -> None:
    """Store a curve as the tracking process does."""
    best = min(
        (value, step) for step, value in zip(steps, values, strict=True) if not math.isnan(value)
    )
    cursor.execute(
        "INSERT INTO metric_curves (experiment_id, metric, steps, metric_values, best_value,"
        " best_step) VALUES (%s, %s, %s, %s, %s, %s) ON CONFLICT (experiment_id, metric) DO UPDATE"
        " SET steps = excluded.steps, metric_values = excluded.metric_values,"
        " best_value = excluded.best_value, best_step = excluded.best_step",
        [run, metric, steps, values, *best],
    )


@pytest.mark.parametrize(
    "key", [{"name": "lenet"}, {"name": "old"}, {"run_id": RUN_ID}], ids=["name", "old", "id"]
)
def test_run_is_found_by_each_of_its_names(run: int, engine: Engine, key: dict[str, str]) -> None:
    found = run_queries.read_run(engine, **key)
    assert found is not None
    assert (found.id, found.name, found.previous_names) == (run, "lenet", ["old"])
    assert (found.source, found.project, found.owner) == ("mlflow", "Default", "ann")
    assert found.is_running
    assert (found.tags, found.params) == ({"dataset": "v2"}, {"lr": 0.1})
    assert found.learning_rate is None


@pytest.mark.usefixtures("run")
def test_unknown_run_is_none(engine: Engine) -> None:
    assert run_queries.read_run(engine, name="lenet2") is None
    assert run_queries.read_run(engine, run_id="0" * 32) is None


def test_curves_follow_what_the_run_logs(run: int, cursor: Any, engine: Engine) -> None:
    store = CurveStore()
    assert store.read(engine, run).curves == ()
    log(cursor, run, "loss", [1, 2], [0.9, 0.5])
    log(cursor, run, "accuracy", [2], [0.7])
    first = {one.metric: one for one in store.read(engine, run).curves}
    assert (first["loss"].steps, first["loss"].values) == ((1, 2), (0.9, 0.5))
    log(cursor, run, "loss", [1, 2, 3, 4], [0.9, 0.5, 0.4, 0.6])
    grown = {one.metric: one for one in store.read(engine, run).curves}
    assert grown["loss"].steps == (1, 2, 3, 4)
    assert grown["loss"].values == (0.9, 0.5, 0.4, 0.6)
    assert grown["accuracy"] is first["accuracy"]


@pytest.mark.parametrize(
    ("steps", "values"),
    [
        ([1, 2, 5, 9], [0.9, 0.5, 0.3, 0.2]),  # a step between known ones
        ([1, 9], [0.9, 0.1]),  # another value of the last step
        ([9], [0.2]),  # fewer points
        ([1, 9, 10], [0.9, 0.2, float("nan")]),
    ],
    ids=["between", "value", "fewer", "nan"],
)
def test_changed_curve_is_read_as_a_whole(
    run: int, cursor: Any, engine: Engine, steps: list[int], values: list[float]
) -> None:
    store = CurveStore()
    log(cursor, run, "loss", [1, 9], [0.9, 0.2])
    store.read(engine, run)
    log(cursor, run, "loss", steps, values)
    [curve] = store.read(engine, run).curves
    assert curve.steps == tuple(steps)
    assert repr(curve.values) == repr(tuple(values))


def test_only_new_points_are_read(run: int, cursor: Any, engine: Engine) -> None:
    store = CurveStore()
    log(cursor, run, "loss", list(range(100)), [1.0] * 100)
    store.read(engine, run)
    known: list[list[int]] = []

    def note(*event: Any) -> None:
        statement, parameters = event[2], event[3]
        if "unnest" in statement:
            known.append(parameters["known"])

    event.listen(engine, "before_cursor_execute", note)
    log(cursor, run, "loss", list(range(101)), [1.0] * 101)
    assert len(store.read(engine, run).curves[0].steps) == 101
    store.read(engine, run)
    assert known == [[100]]


def test_lineage_has_retrainings_and_champion_times(cursor: Any, engine: Engine) -> None:
    history = learning_rows.fill(cursor.connection)
    lineage = run_queries.read_lineage(engine, EXPERIMENT, TASK)
    assert history.runs["promoted"] in list(lineage.retrainings["run_id"])
    assert list(lineage.champion["version"]) == [1]
    assert list(run_queries.read_lineage(engine, CHAMPION, TASK).retrainings["run_id"]) == []


def test_model_has_aliases_and_live_accuracy(cursor: Any, engine: Engine) -> None:
    cursor.execute(
        "INSERT INTO model_versions (id, experiment_name, version, digest, format, task, classes,"
        " input, output, status, first_seen_at, status_since, test_accuracy) VALUES"
        " (gen_random_uuid(), 'lenet', 2, 'd', 'litert', 'mnist', '{4,9}', '{}', 'probabilities',"
        " 'READY', now(), now(), 0.98), (gen_random_uuid(), 'lenet', 2, 'e', 'litert', 'mnist',"
        " '{4,9}', '{}', 'probabilities', 'GONE', now(), now(), 0.5)"
    )
    cursor.execute(
        "INSERT INTO confusion_counts (model_version_id, true_label, predicted_label, images)"
        " SELECT id, t, p, n FROM model_versions,"
        " (VALUES ('4', '4', 8), ('4', '9', 1), ('9', '9', 1)) AS c (t, p, n) WHERE digest = 'd'"
    )
    cursor.execute(
        "INSERT INTO alias_events (task, alias, experiment_name, version, model_digest, moved_by,"
        " reason) VALUES ('mnist', 'champion', 'lenet', 2, 'd', 'ann', 'first')"
    )
    cursor.execute(
        "INSERT INTO evaluations (model_digest, image_set, set_digest, images, correct, by_class,"
        " evaluated_by) VALUES ('d', 'base-test', 's', 10000, 9790, '{}', 'ann'),"
        " ('d', 'photos', 't', 10, 1, '{}', 'ann')"
    )
    [model] = run_queries.read_lineage(engine, "lenet", "mnist").models
    assert (model.version, model.status, list(model.aliases)) == (2, "READY", ["champion"])
    assert (model.images, model.correct, model.test_accuracy) == (10, 9, 0.98)
    assert (model.evaluated_set, model.evaluated_images, model.evaluated_correct) == (
        "base-test",
        10_000,
        9_790,
    )


def test_artifacts_name_the_refused_ones(run: int, cursor: Any, engine: Engine) -> None:
    cursor.execute(
        "INSERT INTO run_artifacts (experiment_id, path, media_type, bytes, digest, url, refused)"
        " VALUES (%s, 'b.png', 'image/png', 9, 'd', 'u', NULL),"
        " (%s, 'a.h5', 'application/octet-stream', 99, NULL, NULL, 'Not text.')",
        [run, run],
    )
    found = run_queries.read_artifacts(engine, run)
    assert [(one.path, one.refused) for one in found] == [("a.h5", "Not text."), ("b.png", None)]
