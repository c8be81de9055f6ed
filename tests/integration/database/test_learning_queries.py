"""Queries of the learning loop on a real database, with the role of the dashboard."""

import os
from collections.abc import Iterator
from contextlib import closing

import psycopg2
import pytest
from sqlalchemy import Engine, create_engine

from tests.support import learning_rows
from tests.support.learning_rows import CHAMPION, EXPERIMENT, TASK, History, digest
from web.data.learning import data_queries, run_queries

pytestmark = pytest.mark.usefixtures("service_database")


@pytest.fixture
def history(service_database: dict[str, str]) -> History:
    connection = psycopg2.connect(
        host=service_database["PGHOST"],
        port=int(service_database["PGPORT"]),
        dbname=service_database["PGDATABASE"],
        user=service_database["PGUSER"],
        password=service_database["PGPASSWORD"],
    )
    with closing(connection):
        _add_predictions(connection)
        return learning_rows.fill(connection)


@pytest.fixture
def engine(service_database: dict[str, str]) -> Iterator[Engine]:
    engine = create_engine(
        "postgresql+psycopg2://mlops_web:pass123@"
        f"{service_database['PGHOST']}:{service_database['PGPORT']}"
        f"/{service_database['PGDATABASE']}"
    )
    assert os.environ["PGDATABASE"] == service_database["PGDATABASE"]
    yield engine
    engine.dispose()


def _add_predictions(connection: psycopg2.extensions.connection) -> None:
    """Add three images that a model predicted."""
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO model_versions (id, experiment_name, version, digest, format, task,"
            " classes, input, output, status, first_seen_at, status_since)"
            " VALUES (gen_random_uuid(), 'm', 1, 'd', 'litert', %s, '{0,1}', '{}',"
            " 'probabilities', 'READY', now(), now())",
            [TASK],
        )
        for number in range(3):
            cursor.execute(
                "WITH image AS (INSERT INTO images (id, digest, width, height, bytes, media_type,"
                " ink_share, mean, border, first_seen_at) VALUES (left(%(digest)s, 32)::uuid,"
                " %(digest)s, 28, 28, 9, 'image/png', 0.1, 9, 0, now()) RETURNING id)"
                " INSERT INTO predictions (id, image_id, model_version_id, task, label, confidence,"
                " probabilities, created_at, last_event_at) SELECT gen_random_uuid(), image.id,"
                " m.id, m.task, '1', 0.9, '{0.1,0.9}', now(), now()"
                " FROM image, model_versions m",
                {"digest": digest(f"image {number}")},
            )


def test_runs_are_listed_newest_first(history: History, engine: Engine) -> None:
    listed = run_queries.read_runs(engine, 3)
    assert [run.state for run in listed.runs] == ["RUNNING", "SUCCEEDED", "CANCELLED"]
    assert (listed.total, listed.has_open_run) == (6, True)
    assert listed.worker_seen_seconds is not None
    assert listed.worker_seen_seconds < 60
    [newest, *_] = listed.runs
    assert (newest.id, newest.dataset_images) == (history.runs["running"], 70_312)
    assert [trigger.kind for trigger in newest.triggers] == ["labels", "manual", "api"]


@pytest.mark.usefixtures("history")
def test_run_without_a_worker_table_row_has_no_age(
    service_database: dict[str, str], engine: Engine
) -> None:
    with (
        closing(
            psycopg2.connect(
                host=service_database["PGHOST"],
                port=int(service_database["PGPORT"]),
                dbname=service_database["PGDATABASE"],
                user=service_database["PGUSER"],
                password=service_database["PGPASSWORD"],
            )
        ) as connection,
        connection,
        connection.cursor() as cursor,
    ):
        cursor.execute("DELETE FROM pipeline_workers")
    assert run_queries.read_runs(engine, 1).worker_seen_seconds is None


def test_promoted_run_has_all_evidence(history: History, engine: Engine) -> None:
    detail = run_queries.read_run(engine, history.runs["promoted"])
    assert detail is not None
    run = detail.run
    assert (run.verdict, run.is_promoted, run.is_champion, run.is_rolled_back) == (
        "PROMOTE",
        True,
        True,
        False,
    )
    assert [step.name for step in detail.steps] == list(learning_rows.STEPS)
    train = detail.step("train")
    assert train is not None
    assert train.typical_seconds == pytest.approx(learning_rows.SECONDS["train"])
    assert [one.image_set for one in detail.comparisons] == ["base-test", "audit", "corrections"]
    assert [one.decides for one in detail.comparisons] == [True, True, False]
    assert (run.gain, run.gain_lower) == (
        detail.comparisons[0].gain,
        detail.comparisons[0].gain_lower,
    )
    assert len(detail.comparisons[0].discordant) == 44
    assert len(detail.trainings) == 3
    assert len(detail.trainings[0].curve) == 30
    assert detail.decision is not None
    assert detail.decision.champion == f"{CHAMPION}@1"


def test_failed_run_has_its_step_and_reason(history: History, engine: Engine) -> None:
    detail = run_queries.read_run(engine, history.runs["failed"])
    assert detail is not None
    [step] = detail.steps
    assert (step.state, step.error) == ("FAILED", detail.run.reason)
    assert (detail.decision, detail.comparisons) == (None, ())


@pytest.mark.usefixtures("history")
def test_unknown_run_is_none(engine: Engine) -> None:
    assert run_queries.read_run(engine, 99) is None


def test_evidence_of_a_version_is_its_last_comparison(history: History, engine: Engine) -> None:
    evidence = run_queries.read_evidence(engine, EXPERIMENT, 1)
    assert evidence is not None
    assert evidence.decision.run_id == history.runs["promoted"]
    assert len(evidence.comparisons) == 3
    assert run_queries.read_evidence(engine, CHAMPION, 1) is None


def test_move_of_the_alias_names_its_run(history: History, engine: Engine) -> None:
    assert list(run_queries.read_runs_of_moves(engine).values()) == [history.runs["promoted"]]


def test_datasets_have_parent_runs_and_counts(history: History, engine: Engine) -> None:
    datasets = data_queries.read_datasets(engine)
    assert list(datasets["id"]) == history.datasets[::-1]
    assert datasets["parent_digest"].iloc[0] == datasets["digest"].iloc[1]
    assert datasets["runs"].iloc[1] == [history.runs["refused"]]
    counts = data_queries.read_dataset_counts(engine, history.datasets[1])
    assert counts["images"].sum() == 312
    assert set(counts["split"]) == {"train", "validation", "test"}


@pytest.mark.usefixtures("history")
def test_uploads_have_their_rejects(engine: Engine) -> None:
    uploads = data_queries.read_uploads(engine)
    assert list(uploads["state"]) == ["RECEIVED", "REJECTED", "ACCEPTED"]
    assert uploads["rejects"].iloc[2] == learning_rows.REJECTS


def test_disagreements_are_labeled_first(history: History, engine: Engine) -> None:
    queue = data_queries.read_label_queue(engine, TASK)
    assert [request.why for request in queue.requests] == ["disagreement"] * 2 + ["random"]
    assert {request.id for request in queue.requests} == set(history.requests)
    assert queue.requests[0].classes == ("0", "1")
    assert (queue.open, queue.answered, queue.skipped, queue.waiting) == (3, 0, 0, 0)


@pytest.mark.usefixtures("history")
def test_answer_and_skip_move_the_progress(engine: Engine) -> None:
    first, second, _ = data_queries.read_label_queue(engine, TASK).requests
    with closing(psycopg2.connect("")) as connection, connection, connection.cursor() as cursor:
        cursor.execute(
            "SELECT outcome FROM label_prediction(%s, '1', 'ann', NULL, %s)",
            [first.prediction_id, first.id],
        )
        assert cursor.fetchone() == ("stored",)
        cursor.execute("SELECT skip_label_request(%s, 'ann')", [second.id])
    queue = data_queries.read_label_queue(engine, TASK)
    assert (queue.open, queue.answered, queue.skipped, queue.waiting) == (1, 1, 1, 1)
    assert data_queries.read_waiting(engine, TASK) == 1


@pytest.mark.usefixtures("history")
def test_schedule_is_read(engine: Engine) -> None:
    [schedule] = data_queries.read_schedules(engine)
    assert (schedule.task, schedule.cron, schedule.enabled) == (TASK, "0 3 * * 1", True)


def test_last_evaluation_of_a_model_and_set_is_read(engine: Engine) -> None:
    with closing(psycopg2.connect("")) as connection, connection, connection.cursor() as cursor:
        for correct in (90, 97):
            cursor.execute(
                "INSERT INTO evaluations (model_digest, experiment_name, version, image_set,"
                " set_digest, images, correct, by_class, evaluated_by)"
                " VALUES ('m', 'a', 1, 'set', 's', 100, %s, '{}', 'dashboard')",
                [correct],
            )
    stored = data_queries.read_evaluation(engine, "m", "s")
    assert stored is not None
    assert (stored.images, stored.correct) == (100, 97)
    assert data_queries.read_evaluation(engine, "m", "other") is None
