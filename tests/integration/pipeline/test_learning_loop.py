"""Learning loop from end to end: labels of a new pen, a run, a verdict, promotion and rollback.

The service, the worker, the trainings and Postgres are real. The base dataset is drawn.
"""

import hashlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from scipy.stats import binomtest

from pipeline.steps import plan
from tests.support.learning_stack import (
    EXPERIMENT,
    LONG_EXPERIMENT,
    LearningStack,
    digests,
    new_pen,
)

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]

PEN_IMAGES = 300
RUN_SECONDS = 300
# Age the heartbeat of a killed worker, whose lease would run out seconds later.
EXPIRE = "UPDATE pipeline_runs SET heartbeat_at = now() - interval '1 hour' WHERE id = %s"
# A transaction that ends the chosen step waits, so that the test can kill its worker before.
PAUSE = """
CREATE TABLE paused (step text);
GRANT SELECT ON paused TO mlops_pipeline;
CREATE FUNCTION pause() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM paused WHERE step = NEW.name) THEN PERFORM pg_sleep(3); END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER pause BEFORE UPDATE OF state ON pipeline_steps FOR EACH ROW
    WHEN (NEW.state = 'SUCCEEDED') EXECUTE FUNCTION pause();
"""


@pytest.fixture(scope="module")
def stack(
    module_database: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[LearningStack]:
    """A stack whose champion has learned the base dataset, and a worker."""
    running = LearningStack(module_database, tmp_path_factory.mktemp("loop"))
    try:
        running.start()
        first = running.retrain(seeds=1)
        assert running.wait_until_over(first, RUN_SECONDS)[0] == "SUCCEEDED"
        document = running.call("GET", f"runs/{first}")
        assert document["decision"]["verdict"] == "PROMOTE", document
        running.wait(lambda: _is_ready(running, 1))
        _promote(running, first)
        yield running
    finally:
        running.stop()


def test_loop_promotes_what_a_new_pen_needs_and_rolls_back(stack: LearningStack) -> None:
    images, labels = new_pen(PEN_IMAGES)
    truth = dict(zip(digests(images), map(str, labels), strict=True))
    answers = stack.predict(images)
    right = sum(answers[digest]["class"] == label for digest, label in truth.items())
    assert right < PEN_IMAGES / 2, "the champion must not know the pen"
    stack.wait(
        lambda: (
            stack.rows("SELECT count(*) FROM images WHERE stored_at IS NOT NULL") == [(PEN_IMAGES,)]
        )
    )
    asked = stack.call(
        "POST", "label-requests", json={"task": "mnist", "images": PEN_IMAGES // 2, "by": "ann"}
    )
    assert asked["asked"] == PEN_IMAGES // 2
    page = stack.call("GET", "label-requests", params={"task": "mnist", "limit": PEN_IMAGES})
    for request in page["requests"]:
        _label(
            stack,
            request["prediction_id"],
            truth.pop(request["image_digest"]),
            answers_request=request["request_id"],
        )
    for digest, label in truth.items():
        _label(stack, answers[digest]["prediction_id"], label)

    run = stack.retrain(seeds=2)
    assert stack.wait_until_over(run, RUN_SECONDS)[0] == "SUCCEEDED"

    document = stack.call("GET", f"runs/{run}")
    assert document["decision"]["verdict"] == "PROMOTE", document["decision"]
    _check_cells(stack, run)
    assert stack.champion() == (EXPERIMENT, 1), "the verdict waits for a person"
    stack.wait(lambda: _is_ready(stack, 2))
    _promote(stack, run)
    after = stack.predict(images)
    assert (
        sum(
            after[d]["class"] == str(label)
            for d, label in zip(digests(images), labels, strict=True)
        )
        > right
    )
    _check_lineage(stack, next(iter(after.values()))["prediction_id"], run)

    started = time.monotonic()
    stack.call("POST", "aliases/mnist/champion/rollback", json={"moved_by": "ann", "reason": "try"})
    stack.wait(lambda: stack.champion() == (EXPERIMENT, 1), seconds=5)
    print(f"rollback after {time.monotonic() - started:.2f} s")
    moves = stack.rows("SELECT run_id FROM alias_history ORDER BY event_id DESC LIMIT 2")
    assert moves == [(run,), (run,)]


def test_run_survives_kill_9_in_each_of_its_eight_steps(stack: LearningStack) -> None:
    calm = stack.retrain(experiment_name=LONG_EXPERIMENT, seeds=1, keep=True)
    assert stack.wait_until_over(calm, RUN_SECONDS)[0] == "SUCCEEDED"
    stack.rows(PAUSE)
    versions = _versions(stack)

    parameters = {"seeds": 1, "keep": True, "dataset": _dataset(stack, calm)}
    run = stack.retrain(experiment_name=LONG_EXPERIMENT, **parameters)
    for step in plan.RETRAIN:
        stack.rows("INSERT INTO paused VALUES (%s)", step)
        stack.start()  # takes over
        stack.wait_for_step(run, step, RUN_SECONDS)
        if step == "train":
            stack.wait(lambda: _epoch(stack, run) > 1)
        else:
            time.sleep(1)
        worker = stack.process_of(run)
        os.killpg(worker.pid, signal.SIGKILL)
        worker.wait()
        stack.rows("DELETE FROM paused")
        if step != plan.RETRAIN[0]:  # that lease runs out by itself
            stack.rows(EXPIRE, run)
    assert stack.wait_until_over(run, RUN_SECONDS)[0] == "SUCCEEDED"

    assert sorted(stack.succeeded(run)) == sorted(plan.RETRAIN)
    killed = [name for name, _, state, error in stack.steps(run) if state == "FAILED"]
    assert sorted(killed) == sorted(plan.RETRAIN), "every step was interrupted once"
    [(seeds,)] = stack.rows(
        "SELECT outputs -> 'seeds' FROM pipeline_steps"
        " WHERE run_id = %s AND name = 'train' AND state = 'SUCCEEDED'",
        run,
    )
    assert seeds[0]["resumed_at_epoch"] > 1
    assert _model_digest(stack, run) == _model_digest(stack, calm)
    assert len(_versions(stack) - versions) <= 1
    assert not list(stack.models.rglob(".publish-*"))
    published = [
        hashlib.sha256((folder / "model.tflite").read_bytes()).hexdigest()
        for folder in _versions(stack)
    ]
    assert _model_digest(stack, run) in published


def test_gate_command_computes_a_stored_verdict_again(stack: LearningStack) -> None:
    [(run,)] = stack.rows("SELECT max(run_id) FROM promotion_decisions")
    result = subprocess.run(
        [sys.executable, "-m", "pipeline.gate", str(run)],
        env=stack.environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert result.returncode == 0, result.stdout + result.stderr


def _label(stack: LearningStack, prediction: str, label: str, **fields: object) -> None:
    document = {"label": label, "labelled_by": "ann", **fields}
    stack.call("PUT", f"predictions/{prediction}/label", json=document)


def _promote(stack: LearningStack, run: int) -> None:
    stack.call("POST", f"runs/{run}/promote", json={"by": "ann", "reason": "the evidence"})
    [(name, version)] = stack.rows(
        "SELECT candidate_name, candidate_version FROM promotion_decisions WHERE run_id = %s", run
    )
    assert stack.champion() == (name, version)


def _is_ready(stack: LearningStack, version: int) -> bool:
    statement = "SELECT 1 FROM model_versions WHERE version = %s AND status = 'READY'"
    return bool(stack.rows(statement, version))


def _check_cells(stack: LearningStack, run: int) -> None:
    """Compare the stored p-values with scipy's."""
    rows = stack.rows(
        "SELECT only_champion + unanswered, only_candidate, p_better FROM comparisons"
        " WHERE run_id = %s",
        run,
    )
    assert rows
    for losses, wins, stored in rows:
        expected = 1.0
        if losses + wins:
            expected = binomtest(wins, losses + wins, 0.5, alternative="greater").pvalue
        assert stored == pytest.approx(expected, rel=1e-12)


def _check_lineage(stack: LearningStack, prediction: str, run: int) -> None:
    stack.wait(lambda: stack.rows("SELECT 1 FROM predictions WHERE id = %s", prediction))
    [row] = stack.rows(
        "SELECT run_id, seed IS NOT NULL, dataset_digest, dataset_sources ->> 'corrections',"
        " code_sha256 IS NOT NULL FROM lineage WHERE prediction_id = %s",
        prediction,
    )
    assert row[:2] == (run, True)
    assert row[2] == _dataset(stack, run)
    assert int(row[3]) > 0
    assert row[4]


def _dataset(stack: LearningStack, run: int) -> str:
    statement = "SELECT dataset_digest FROM pipeline_overview WHERE run_id = %s"
    [(digest,)] = stack.rows(statement, run)
    return str(digest)


def _epoch(stack: LearningStack, run: int) -> int:
    [(epoch,)] = stack.rows(
        "SELECT coalesce(max((progress ->> 'epoch')::int), 0) FROM pipeline_steps"
        " WHERE run_id = %s AND name = 'train' AND state = 'RUNNING'",
        run,
    )
    return int(epoch)


def _model_digest(stack: LearningStack, run: int) -> str:
    statement = "SELECT model_digest FROM trainings WHERE run_id = %s AND trial IS NULL"
    [(digest,)] = stack.rows(statement, run)
    return str(digest)


def _versions(stack: LearningStack) -> set[Path]:
    folder = stack.models / LONG_EXPERIMENT
    return {path for path in folder.iterdir() if path.name.isdecimal()}
