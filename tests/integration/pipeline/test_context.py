"""Step context: writes and progress require the run's lease."""

import uuid
from pathlib import Path

import pytest

from pipeline.database import Database
from pipeline.settings import from_environment
from pipeline.steps.context import CancelledError, Run, StepContext, SupersededError
from tests.support.database import use_owner

ADD_WORKER = "INSERT INTO pipeline_workers (name, host, pid, version) VALUES ('w', 'h', 1, 'v')"


@pytest.fixture
def context(
    service_database: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> StepContext:
    """The context of a RUNNING step, which holds the lease of its run."""
    use_owner(monkeypatch, service_database)
    database = Database()
    token = str(uuid.uuid4())
    [row] = database.query(
        """INSERT INTO pipeline_runs (task, experiment_name, state, lease_token, heartbeat_at)
        VALUES ('mnist', 'e', 'RUNNING', %s, now() - interval '1 hour') RETURNING id""",
        [token],
    )
    database.query(
        """INSERT INTO pipeline_steps (run_id, name, ordinal, attempt, state, worker)
        VALUES (%s, 'train', 4, 1, 'RUNNING', 'w')""",
        [row["id"]],
    )
    run = Run(row["id"], "retrain", "mnist", "e", {}, None, "api")
    return StepContext(run, "train", token, {}, tmp_path, from_environment({}), database)


def test_write_with_the_lease_is_committed(context: StepContext) -> None:
    context.write(ADD_WORKER)

    assert Database().query("SELECT name FROM pipeline_workers") == [{"name": "w"}]


def test_write_without_the_lease_changes_nothing(context: StepContext) -> None:
    context.database.query("UPDATE pipeline_runs SET lease_token = %s", [str(uuid.uuid4())])

    with pytest.raises(SupersededError):
        context.write(ADD_WORKER)

    assert context.database.query("SELECT name FROM pipeline_workers") == []


def test_progress_is_stored_and_keeps_the_lease(context: StepContext) -> None:
    context.progress(epoch=3, epochs=12)

    [step] = context.database.query("SELECT progress FROM pipeline_steps")
    [run] = context.database.query(
        "SELECT now() - heartbeat_at < interval '1 minute' AS is_alive FROM pipeline_runs"
    )
    assert step["progress"] == {"epoch": 3, "epochs": 12}
    assert run["is_alive"]


def test_progress_within_half_a_second_is_dropped(context: StepContext) -> None:
    context.progress(epoch=1)
    context.progress(epoch=2)

    [step] = context.database.query("SELECT progress FROM pipeline_steps")
    assert step["progress"] == {"epoch": 1}


def test_progress_of_a_cancelled_run_raises(context: StepContext) -> None:
    context.database.query("SELECT cancel_run(%s, 'ada', 'wrong data')", [context.run.id])

    with pytest.raises(CancelledError):
        context.progress(epoch=1)


def test_progress_without_the_lease_raises(context: StepContext) -> None:
    context.database.query("UPDATE pipeline_runs SET lease_token = NULL")

    with pytest.raises(SupersededError):
        context.progress(epoch=1)
