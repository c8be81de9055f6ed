"""Trainings in real child processes: kill, resumption, cancellation, and sweeps with TensorFlow."""

import random
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from pipeline.steps import train
from pipeline.steps.context import CancelledError, PermanentError, StepContext
from pipeline.training.child_process import ChildDiedError
from tests.support.database import use_owner
from tests.support.processes import assert_ended
from tests.support.train_step import make_context
from training import reproduce

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]  # TensorFlow starts up to eight times

AUGMENTED = "mnist_experiment_22__lenet5_augmented"
PARITY = "parity_experiment_2__mlp_32"
DIVERGING = "mnist_experiment_17__mlp_diverged"


@pytest.fixture(autouse=True)
def owner(service_database: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> None:
    use_owner(monkeypatch, service_database)


class ActingContext(StepContext):
    """A context that calls `act` with each progress report."""

    act: Callable[[dict[str, Any]], None]

    def progress(self, **values: Any) -> None:
        self.act(values)
        super().progress(**values)


def acting(context: StepContext, act: Callable[[dict[str, Any]], None]) -> ActingContext:
    values = {
        name: value for name, value in vars(context).items() if name not in ("_reported_at", "act")
    }
    changed = ActingContext(**values)
    changed.act = act
    return changed


def use_random(stop: threading.Event) -> None:
    while not stop.is_set():
        random.random()


def children() -> list[psutil.Process]:
    return [
        process
        for process in psutil.Process().children(recursive=True)
        if "pipeline.training.children.train" in process.cmdline()
    ]


def test_killed_training_resumes_and_gives_an_equal_model(tmp_path: Path) -> None:
    """SIGKILL at the sixth epoch. Another thread uses `random` all the time."""
    undisturbed = make_context(tmp_path / "undisturbed", AUGMENTED, 600, seeds=1)
    expected = train.run(undisturbed)
    undisturbed.database.query("UPDATE pipeline_runs SET state = 'SUCCEEDED', finished_at = now()")
    killed: list[int] = []

    def kill(values: dict[str, Any]) -> None:
        if values.get("epoch") == 6 and not killed:
            [child] = children()
            killed.append(child.pid)
            child.kill()

    context = make_context(tmp_path / "killed", AUGMENTED, 600, seeds=1)
    stop = threading.Event()
    noise = threading.Thread(target=use_random, args=(stop,))
    noise.start()
    try:
        with pytest.raises(ChildDiedError, match="signal SIGKILL"):
            train.run(acting(context, kill))
        assert_ended(killed)
        outputs = train.run(context)
    finally:
        stop.set()
        noise.join()
    [seed] = outputs["seeds"]
    assert seed["resumed_at_epoch"] > 1
    assert seed["model_digest"] == expected["chosen"]["model_digest"]
    [row] = context.database.query(
        "SELECT outcome, artifact_url FROM trainings WHERE run_id = %s", [context.run.id]
    )
    assert row == {"outcome": "finished", "artifact_url": outputs["chosen"]["artifact_url"]}


def test_cancelled_training_leaves_no_process(tmp_path: Path) -> None:
    context = make_context(tmp_path, AUGMENTED, 600, seeds=1)
    pids: list[int] = []

    def cancel(values: dict[str, Any]) -> None:
        if values.get("epoch") == 2:
            pids.extend(child.pid for child in children())
            context.database.query("SELECT cancel_run(%s, 'ada', 'wrong')", [context.run.id])

    with pytest.raises(CancelledError):
        train.run(acting(context, cancel))
    assert pids
    assert_ended(pids)


def test_model_of_a_run_is_reproduced_from_its_card(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also of a task whose models take scaled pixels."""
    context = make_context(tmp_path, PARITY, seeds=2)
    train.run(context)
    monkeypatch.setenv("PIPELINE_WORK", str(tmp_path))
    models = tmp_path / "models"
    models.mkdir()
    (context.work / "seed_2" / "model").rename(models / PARITY)
    card = reproduce.find_card(models, PARITY, None)
    assert (card.run, card.data["dataset_digest"]) == ({"id": context.run.id, "seed": 2}, "d" * 64)
    assert card.classes == ("even", "odd")
    comparison = reproduce.reproduce(card)
    assert (comparison.is_equal, comparison.changes) == (True, ())


def test_diverging_training_is_a_row(tmp_path: Path) -> None:
    context = make_context(tmp_path, DIVERGING, 25_000, seeds=1)  # 480 steps to overflow
    with pytest.raises(PermanentError, match="Every training diverged"):
        train.run(context)
    [row] = context.database.query("SELECT outcome, curve, artifact_url FROM trainings")
    assert (row["outcome"], row["artifact_url"]) == ("diverged", None)
    assert row["curve"]["Step"]


def test_sweep_trains_folds_in_processes(tmp_path: Path) -> None:
    sweep = {"learning_rate": [0.01, 0.5, "log"], "batch_size": [16, 32], "trials": 1}
    context = make_context(tmp_path, "mnist_experiment_1__softmax_regression", seeds=1, sweep=sweep)
    outputs = train.run(context)
    rows = context.database.query(
        "SELECT fold, outcome, validation_accuracy, params FROM trainings WHERE trial = 1"
    )
    assert sorted(row["fold"] for row in rows) == [1, 2, 3, 4, 5]
    assert {row["outcome"] for row in rows} == {"finished"}
    assert all(0 < row["validation_accuracy"] <= 1 for row in rows)
    assert outputs["chosen"]["params"] == rows[0]["params"]
    assert children() == []
