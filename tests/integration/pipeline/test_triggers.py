"""Triggers: schedules, new labels, answers and requests start each run once."""

import json
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pipeline.database import Database
from pipeline.settings import Settings, from_environment
from pipeline.worker import sweep
from pipeline.worker.triggers import Triggers
from tests.support.database import use_owner

NOON = datetime(2026, 3, 2, 12, 0, 30, tzinfo=UTC)
SCHEDULE = """
    INSERT INTO schedules (task, cron, experiment_name, params, changed_by, changed_at)
    VALUES ('mnist', '0 12 * * *', 'a', '{"seeds": 5}', 'ann', %s)
"""
RUNS = """
    SELECT r.kind, r.task, r.experiment_name, r.params, r.parent_run_id, t.kind AS trigger,
        t.requested_by, t.reason
    FROM pipeline_runs r JOIN pipeline_triggers t ON t.run_id = r.id ORDER BY t.id
"""
END = """
    UPDATE pipeline_runs SET state = 'SUCCEEDED', finished_at = now(),
        created_at = now() - make_interval(hours => %s)
    WHERE state = 'QUEUED' RETURNING id
"""
IMAGE = """
    INSERT INTO images (id, digest, original_url, stored_at, media_type, width, height, bytes,
        ink_share, mean, border, first_seen_at)
    SELECT left(digest, 32)::uuid, digest, url, CASE WHEN url IS NOT NULL THEN now() END,
        'image/png', 28, 28, 99, 0.1, 0.1, 0, now()
    FROM (VALUES (%s, %s::text)) AS new (digest, url) RETURNING id
"""
LABEL = """
    INSERT INTO labels (image_id, task, label, labelled_by, labelled_at)
    VALUES (%s, 'mnist', '7', 'ann', now() + make_interval(secs => %s)) RETURNING id
"""
EXPERIMENT = """
    INSERT INTO experiments (name, learning_rate, momentum, source_file, source_line,
        content_digest)
    VALUES ('e', 0.1, 0.9, 'data.csv', 2, 'd')
"""
ALIAS = "SELECT move_alias('mnist', 'champion', 'champion_1', 1, NULL, 'ann', 'a test')"
DECISION = """
    INSERT INTO promotion_decisions (run_id, verdict, rule_version, settings, reasons,
        candidate_name, candidate_digest)
    VALUES (%s, 'UNDECIDED', 1, '{}', '{few}', 'a', 'd')
"""
ASK = """
    INSERT INTO label_requests (task, image_id, image_digest, run_id, why, requested_by)
    VALUES ('mnist', %s, 'd', %s, 'disagreement', 'pipeline') RETURNING id
"""
ANSWER = """
    UPDATE label_requests SET answered_at = now(), answered_by_label_id = %s WHERE id = %s
"""
MONITOR = """
    INSERT INTO retrain_requests (task, requested_by, reason)
    VALUES ('mnist', 'the monitor', 'Accuracy fell.')
"""
REQUESTS = "SELECT status, reason, run_id FROM retrain_requests"


@pytest.fixture
def database(service_database: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Database:
    """The database as the worker's role, except where a test writes what other roles do."""
    use_owner(monkeypatch, service_database)
    owner = Database()
    owner.query("SELECT 1")  # keeps the owner's connection
    monkeypatch.setenv("PGUSER", "mlops_pipeline")
    monkeypatch.setenv("PGPASSWORD", "pass123")
    return owner


@pytest.fixture
def settings() -> Settings:
    return replace(from_environment({}), retrain_after_labels=3)


def triggers(
    settings: Settings, name: str = "a", clock: Callable[[], datetime] = lambda: NOON
) -> Triggers:
    database = Database()
    sweep.report_worker(database, name, "host", 1, "v")
    return Triggers(database, settings, name, clock)


def runs(database: Database) -> list[dict[str, Any]]:
    return database.query(RUNS)


def label_images(database: Database, count: int, start: int = 0, seconds: int = 0) -> None:
    for number in range(start, start + count):
        [image] = database.query(IMAGE, [f"{number:032x}" + "0" * 32, "file:///o.png"])
        database.query(LABEL, [image["id"], seconds])


def test_schedule_fires_once_for_all_workers(database: Database, settings: Settings) -> None:
    database.query(SCHEDULE, [NOON - timedelta(days=3)])
    checks = [triggers(settings, name).check for name in ("a", "b", "c")]
    threads = [threading.Thread(target=check) for check in checks * 2]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    [run] = runs(database)
    assert (run["trigger"], run["requested_by"], run["params"]) == ("schedule", "ann", {"seeds": 5})
    assert run["reason"] == "Schedule 0 12 * * * of 2026-03-02 12:00 UTC"
    triggers(settings, clock=lambda: NOON + timedelta(hours=23)).check()
    assert len(runs(database)) == 1
    triggers(settings, clock=lambda: NOON + timedelta(days=1)).check()
    assert [run["trigger"] for run in runs(database)] == ["schedule"] * 2


def test_new_schedule_ignores_times_before_it(database: Database, settings: Settings) -> None:
    database.query(SCHEDULE, [NOON])
    triggers(settings).check()
    assert runs(database) == []


def test_schedule_that_is_off_or_unreadable_starts_nothing(
    database: Database, settings: Settings
) -> None:
    database.query(SCHEDULE, [NOON - timedelta(days=3)])
    database.query("UPDATE schedules SET enabled = false")
    triggers(settings).check()
    database.query("UPDATE schedules SET enabled = true, cron = 'daily'")
    triggers(settings).check()
    assert runs(database) == []


def test_cron_setting_fires_after_the_start_of_the_worker(
    database: Database, settings: Settings
) -> None:
    database.query(EXPERIMENT)
    settings = replace(settings, retrain_cron="0 12 * * *", retrain_experiment="e")
    now = NOON - timedelta(hours=1)
    worker = triggers(settings, clock=lambda: now)
    worker.check()
    assert runs(database) == []
    now = NOON
    database.query("DELETE FROM pipeline_workers WHERE name <> 'a'")
    worker.check()
    worker.check()
    [run] = runs(database)
    assert (run["experiment_name"], run["requested_by"]) == ("e", "RETRAIN_CRON")


@pytest.mark.parametrize(
    ("cron", "experiment", "message"),
    [("daily", "e", "not a cron expression"), ("0 12 * * *", "", "needs RETRAIN_EXPERIMENT")],
)
def test_unusable_cron_setting_is_refused(cron: str, experiment: str, message: str) -> None:
    settings = replace(from_environment({}), retrain_cron=cron, retrain_experiment=experiment)
    with pytest.raises(ValueError, match=message):
        Triggers(Database(), settings, "a")


def test_enough_new_labels_start_one_run_a_cooldown(database: Database, settings: Settings) -> None:
    database.query(ALIAS)
    label_images(database, 2)
    worker = triggers(settings)
    worker.check()
    assert runs(database) == []
    label_images(database, 1, start=2)
    worker.check()
    worker.check()
    [run] = runs(database)
    assert (run["trigger"], run["experiment_name"]) == ("labels", "champion_1")
    assert run["reason"] == "3 new labels, at least 3"
    database.query(END, [23])
    label_images(database, 3, start=10)
    worker.check()
    assert len(runs(database)) == 1  # 23 of 24 hours
    database.query("UPDATE pipeline_runs SET created_at = now() - interval '25 hours'")
    worker.check()
    assert len(runs(database)) == 2


def test_labels_that_no_dataset_can_have_do_not_count(
    database: Database, settings: Settings
) -> None:
    database.query(ALIAS)
    for number in range(5):
        [image] = database.query(IMAGE, [f"{number:032x}" + "0" * 32, None])
        database.query(LABEL, [image["id"], 0])
    triggers(settings).check()
    assert runs(database) == []


def test_zero_labels_setting_starts_nothing(database: Database, settings: Settings) -> None:
    database.query(ALIAS)
    label_images(database, 5)
    triggers(replace(settings, retrain_after_labels=0)).check()
    assert runs(database) == []


def test_answered_requests_of_an_undecided_run_compare_again(
    database: Database, settings: Settings
) -> None:
    database.query("SELECT request_run('mnist', 'a', '{}', 'api', 'ann', 'a test')")
    [run] = database.query(END, [48])
    database.query(DECISION, [run["id"]])
    requests = []
    for number in range(2):
        [image] = database.query(IMAGE, [f"{number:032x}" + "0" * 32, "file:///o.png"])
        [request] = database.query(ASK, [image["id"], run["id"]])
        [label] = database.query(LABEL, [image["id"], 0])
        requests.append((label["id"], request["id"]))
    worker = triggers(settings)
    database.query(ANSWER, requests[0])
    worker.check()
    assert len(runs(database)) == 1
    database.query(ANSWER, requests[1])
    worker.check()
    worker.check()
    compared = runs(database)[1:]
    assert [(c["kind"], c["parent_run_id"], c["trigger"]) for c in compared] == [
        ("compare", run["id"], "labels")
    ]
    assert compared[0]["reason"] == f"2 answers to the label requests of run {run['id']}"


def test_request_of_a_monitor_is_taken_and_done(database: Database, settings: Settings) -> None:
    database.query(ALIAS)
    database.query(MONITOR)
    worker = triggers(settings)
    worker.check()
    [run] = runs(database)
    assert (run["trigger"], run["requested_by"]) == ("drift", "the monitor")
    assert json.dumps(run["params"]) == '{"seeds": 3}'
    assert [row["status"] for row in database.query(REQUESTS)] == ["taken"]
    database.query(END, [0])
    worker.check()
    assert [row["status"] for row in database.query(REQUESTS)] == ["done"]
    database.query(MONITOR)
    worker.check()
    assert [row["status"] for row in database.query(REQUESTS)] == ["done", "waiting"]
    assert len(runs(database)) == 1


def test_request_for_a_task_without_champion_is_refused(
    database: Database, settings: Settings
) -> None:
    database.query(MONITOR)
    triggers(settings).check()
    [request] = database.query(REQUESTS)
    assert request["status"] == "refused"
    assert "Set RETRAIN_EXPERIMENT, or promote a model." in request["reason"]
