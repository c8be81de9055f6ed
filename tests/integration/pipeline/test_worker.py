"""Worker processes on a real Postgres: each step is done once, whatever ends a worker."""

import os
import signal
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from pipeline.database import Database
from pipeline.steps import plan
from pipeline.steps.context import HOLD_LEASE
from pipeline.worker import lease as leases
from pipeline.worker import sweep
from pipeline.worker.lease import FAILURES
from tests.support.database import use_owner
from tests.support.registry import write_version
from tests.support.workers import ALL, HEARTBEAT_SECONDS, Workers

MAX_TAKEOVER_SECONDS = 20
MAX_IDLE_BYTES = 80_000_000


@pytest.fixture
def workers(service_database: dict[str, str], tmp_path: Path) -> Iterator[Workers]:
    workers = Workers(service_database, tmp_path)
    yield workers
    workers.stop()


def test_run_executes_plan_in_order_and_leaves_no_job(workers: Workers) -> None:
    run_id, _ = workers.request()
    worker = workers.start()
    assert workers.wait_until_over(run_id) == ("SUCCEEDED", None)
    assert workers.trace(run_id) == list(plan.RETRAIN)
    assert workers.succeeded(run_id) == ALL
    workers.wait(lambda: workers.rows("SELECT 1 FROM procrastinate.procrastinate_jobs") == [])
    [(seen,)] = workers.rows("SELECT count(*) FROM pipeline_workers WHERE pid = %s", worker.pid)
    assert seen == 1


def test_two_triggers_at_once_are_one_run(workers: Workers) -> None:
    workers.start()
    with ThreadPoolExecutor(2) as pool:
        requests = [pool.submit(workers.request, seconds=0.5) for _ in range(2)]
        results = sorted(request.result() for request in requests)
    assert results == [(results[0][0], False), (results[0][0], True)]
    assert workers.wait_until_over(results[0][0])[0] == "SUCCEEDED"
    assert workers.succeeded(results[0][0]) == ALL
    assert workers.rows("SELECT count(*) FROM pipeline_triggers") == [(2,)]


def test_step_is_repeated_after_failures_that_may_pass(workers: Workers) -> None:
    run_id, _ = workers.request(failures={"train": 2})
    workers.start()
    assert workers.wait_until_over(run_id)[0] == "SUCCEEDED"
    assert [step[1:] for step in workers.steps(run_id) if step[0] == "train"] == [
        (1, "FAILED", "OSError: storage is away"),
        (2, "FAILED", "OSError: storage is away"),
        (3, "SUCCEEDED", None),
    ]


def test_step_that_keeps_failing_fails_the_run_which_can_be_retried(workers: Workers) -> None:
    run_id, _ = workers.request(failures={"evaluate": 5})
    workers.start()
    assert workers.wait_until_over(run_id) == ("FAILED", "evaluate: OSError: storage is away")
    assert workers.rows("SELECT retry_run(%s, 'test', 'again')", run_id) == [("queued",)]
    assert workers.wait_until_over(run_id)[0] == "SUCCEEDED"
    assert workers.trace(run_id) == list(plan.RETRAIN)


def test_permanent_error_fails_the_run_at_once(workers: Workers) -> None:
    run_id, _ = workers.request(permanent="validate")
    workers.start()
    reason = "validate: The data is unusable. Upload other data."
    assert workers.wait_until_over(run_id) == ("FAILED", reason)
    assert [step[:3] for step in workers.steps(run_id)] == [
        ("ingest", 1, "SUCCEEDED"),
        ("validate", 1, "FAILED"),
    ]


def test_cancelled_run_stops_at_its_next_report(workers: Workers) -> None:
    run_id, _ = workers.request(seconds=20)
    workers.start()
    workers.wait_for_step(run_id, "ingest")
    assert workers.rows("SELECT cancel_run(%s, 'ann', 'wrong data')", run_id) == [("requested",)]
    assert workers.wait_until_over(run_id, 5) == ("CANCELLED", "Cancelled by ann: wrong data")
    assert workers.succeeded(run_id) == []


def test_killed_worker_is_replaced_by_another_one(workers: Workers) -> None:
    run_id, _ = workers.request(seconds=0.4)
    workers.start()
    workers.start()
    workers.wait_for_step(run_id, "train")
    victim = workers.process_of(run_id)
    os.killpg(victim.pid, signal.SIGKILL)
    assert workers.wait_until_over(run_id)[0] == "SUCCEEDED"
    assert workers.succeeded(run_id) == ALL
    assert workers.trace(run_id) == list(plan.RETRAIN)
    errors = {step[3] for step in workers.steps(run_id) if step[2] == "FAILED"}
    assert errors == {"Its worker died."}


def test_frozen_worker_that_thaws_writes_nothing_and_lives(workers: Workers) -> None:
    run_id, _ = workers.request(seconds=0.6)
    workers.start()
    workers.start()
    workers.wait_for_step(run_id, "validate")
    frozen = workers.process_of(run_id)
    os.killpg(frozen.pid, signal.SIGSTOP)
    name = workers.worker_of(run_id)
    workers.wait(lambda: workers.worker_of(run_id) not in (name, None))
    workers.wait_for_step(run_id, "train")
    os.killpg(frozen.pid, signal.SIGCONT)
    assert workers.wait_until_over(run_id)[0] == "SUCCEEDED"
    assert workers.succeeded(run_id) == ALL
    assert workers.trace(run_id) == list(plan.RETRAIN)
    time.sleep(1)
    assert [process.poll() for process in workers.processes] == [None, None]
    other, _ = workers.request()
    assert workers.wait_until_over(other)[0] == "SUCCEEDED"
    assert "never retrieved" not in workers.log.read_text()


def test_folder_of_a_run_is_removed_after_a_failed_attempt_to_promote(
    workers: Workers, service_database: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Only a run whose last attempt failed keeps it, for a retry."""
    run_id, _ = workers.request(failures={"promote": 1})
    workers.start()
    assert workers.wait_until_over(run_id)[0] == "SUCCEEDED"
    workers.stop()
    assert ("promote", 1, "FAILED") in [step[:3] for step in workers.steps(run_id)]
    workers.rows("UPDATE pipeline_runs SET finished_at = finished_at - interval '2 minutes'")
    use_owner(monkeypatch, service_database)
    assert (workers.work / str(run_id)).is_dir()
    sweep.remove_folders(Database(), workers.work)
    assert not (workers.work / str(run_id)).exists()


@pytest.mark.slow
def test_run_of_a_worker_frozen_within_a_transaction_is_freed(
    workers: Workers, service_database: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its transaction locks the row of the run until Postgres ends it."""
    run_id, _ = workers.request()
    role = {"PGUSER": "mlops_pipeline", "PGPASSWORD": "pass123"}
    use_owner(monkeypatch, {**service_database, **role})
    lease = leases.take(Database(), run_id, "frozen", 0.1)
    assert lease is not None

    def is_freed() -> bool:
        sweep.free_runs(Database(), 0.1)
        return workers.worker_of(run_id) is None

    def freeze_within_a_transaction() -> None:
        with Database().transaction() as cursor:
            cursor.execute(HOLD_LEASE, [run_id, lease.token])
            workers.wait(is_freed, MAX_TAKEOVER_SECONDS)
            cursor.execute("SELECT 1")

    with pytest.raises(FAILURES):  # after which a step is repeated
        freeze_within_a_transaction()


def test_stopped_worker_gives_its_run_back_at_once(workers: Workers) -> None:
    run_id, _ = workers.request(seconds=0.7)
    worker = workers.start()
    workers.wait_for_step(run_id, "prepare")
    started = time.monotonic()
    worker.terminate()
    assert worker.wait(10) == 0
    assert time.monotonic() - started < 6
    assert workers.worker_of(run_id) is None
    assert [step[1:] for step in workers.steps(run_id) if step[0] == "prepare"] == [
        (1, "FAILED", "Its worker was stopped.")
    ]
    [(deaths,)] = workers.rows("SELECT deaths FROM pipeline_runs WHERE id = %s", run_id)
    assert deaths == 0
    assert workers.rows("SELECT count(*) FROM pipeline_workers") == [(0,)]
    workers.start()
    started = time.monotonic()
    workers.wait(lambda: workers.worker_of(run_id) is not None)
    assert time.monotonic() - started < HEARTBEAT_SECONDS + 5
    assert workers.wait_until_over(run_id)[0] == "SUCCEEDED"
    assert workers.trace(run_id) == list(plan.RETRAIN)


def test_run_that_kills_its_worker_three_times_fails(workers: Workers) -> None:
    run_id, _ = workers.request(poison="train")
    worker = workers.start()
    state, reason = workers.wait_until_over(run_id)
    assert state == "FAILED"
    assert reason is not None
    assert reason.startswith("Its worker died 3 times, last at step train.")
    errors = [step[3] for step in workers.steps(run_id) if step[0] == "train"]
    assert errors == ["Its worker died (status -9)."] * 3
    assert worker.poll() is None


def test_worker_that_was_taken_for_dead_registers_again(workers: Workers) -> None:
    worker = workers.start()
    registered = "SELECT 1 FROM procrastinate.procrastinate_workers"
    workers.wait(lambda: workers.rows(registered))
    workers.rows("DELETE FROM procrastinate.procrastinate_workers")
    run_id, _ = workers.request()
    assert workers.wait_until_over(run_id)[0] == "SUCCEEDED"
    assert worker.poll() is None
    assert workers.rows(registered)


def test_child_ends_with_its_worker(workers: Workers) -> None:
    run_id, _ = workers.request(seconds=20)
    worker = workers.start()
    workers.wait_for_step(run_id, "ingest")
    children = psutil.Process(worker.pid).children(recursive=True)
    assert children
    worker.kill()
    _, alive = psutil.wait_procs(children, timeout=3)
    assert alive == []


def test_changed_code_repeats_the_steps_after_prepare(workers: Workers) -> None:
    run_id, _ = workers.request(permanent="compare")
    worker = workers.start()
    assert workers.wait_until_over(run_id)[0] == "FAILED"
    workers.rows(
        "UPDATE pipeline_runs SET code_digest = 'other', params = '{}' WHERE id = %s", run_id
    )
    workers.rows("SELECT retry_run(%s, 'test', 'again')", run_id)
    assert workers.wait_until_over(run_id)[0] == "SUCCEEDED"
    assert workers.trace(run_id) == [*plan.RETRAIN[:5], *plan.RETRAIN[3:]]
    assert workers.succeeded(run_id) == ALL
    assert worker.poll() is None


def test_step_that_is_left_open_ends_the_run_and_a_retry_does_it(workers: Workers) -> None:
    run_id, _ = workers.request(open="promote")
    workers.start()
    state = workers.wait_until_over(run_id)
    assert state == ("SUCCEEDED", "The champion was not moved. Retry the run.")
    assert workers.succeeded(run_id) == sorted(plan.RETRAIN[:-1])
    assert workers.rows("SELECT retry_run(%s, 'test', 'again')", run_id) == [("queued",)]
    assert workers.wait_until_over(run_id) == ("SUCCEEDED", None)
    assert workers.trace(run_id) == list(plan.RETRAIN)


def test_run_of_kind_compare_has_the_outputs_of_its_parent(workers: Workers) -> None:
    parent, _ = workers.request()
    workers.start()
    workers.wait_until_over(parent)
    [(run_id, _)] = workers.rows(
        "SELECT * FROM request_comparison(%s, 'labels', 'test', 'answers')", parent
    )
    assert workers.wait_until_over(run_id)[0] == "SUCCEEDED"
    assert workers.trace(run_id) == list(plan.RETRAIN[4:])
    skipped = """
        SELECT c.name FROM pipeline_steps c JOIN pipeline_steps p USING (name, outputs)
        WHERE c.run_id = %s AND c.state = 'SKIPPED' AND p.run_id = %s ORDER BY c.ordinal
    """
    assert [row[0] for row in workers.rows(skipped, run_id, parent)] == list(plan.RETRAIN[:4])


def test_scoring_does_not_wait_for_a_training(workers: Workers) -> None:
    run_id, _ = workers.request(seconds=20)
    workers.start()
    workers.wait_for_step(run_id, "ingest")
    [(score,)] = workers.rows("SELECT request_score('mnist', '{}', 'test', 'a test')")
    assert workers.wait_until_over(score)[0] == "SUCCEEDED"
    assert workers.trace(score) == ["score"]
    assert workers.state(run_id)[0] == "RUNNING"


def test_worker_mirrors_the_model_registry(workers: Workers, tmp_path: Path) -> None:
    write_version(tmp_path / "registry" / "mine" / "1")
    worker = workers.start(
        MODELS_URL=f"file://{tmp_path}/registry",
        MODELS_DIR=str(tmp_path / "models"),
        MODELS_POLL_SECONDS="0.2",
    )
    workers.wait((tmp_path / "models" / "mine" / "1" / "card.json").exists)
    worker.terminate()
    assert worker.wait(15) == 0


def test_idle_worker_is_small(workers: Workers) -> None:
    worker = workers.start()
    workers.wait(lambda: workers.rows("SELECT 1 FROM pipeline_workers"))
    time.sleep(2)
    assert psutil.Process(worker.pid).memory_info().rss < MAX_IDLE_BYTES
