"""The Python client with the real service: every point once, and the notebook."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import ml_ops_starter_client as client
import nbformat
import pytest
from nbclient import NotebookClient

from tests.conftest import SHIPPED
from tests.integration.prediction_log.test_prediction_log import Stack, eventually

pytestmark = pytest.mark.slow

MODEL = "mnist_experiment_1__softmax_regression"
NOTEBOOK = Path(__file__).parent.parent.parent.parent / "client" / "notebook.ipynb"
TRAINING = """
import sys, time
from pathlib import Path
from ml_ops_starter_client import start

with start("together", lr=0.1) as run:
    step = 0
    while not Path(sys.argv[1]).exists():
        run.log(step, loss=step, accuracy=1 - step)
        step += 1
        time.sleep(0.004)
    print(run.name, run.run_id, step)
"""
LAST_STEPS = """
    SELECT e.name, max(p.step) FROM experiments e JOIN run_points p ON p.experiment_id = e.id
    WHERE e.name LIKE 'together%%' GROUP BY e.name
"""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    folder = tmp_path_factory.mktemp("client")
    models_dir = folder / "models"
    shutil.copytree(SHIPPED / MODEL, models_dir / MODEL)
    stack = Stack(folder, models_dir, TRACKING="1")
    try:
        stack.start_database()
        stack.start_service()
        yield stack
    finally:
        stack.stop()


@pytest.fixture
def environment(stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """The variables of a training beside the stack; this process has them, too."""
    variables = {
        "MLOPS_URL": f"http://127.0.0.1:{stack.port}",
        "MLOPS_SPOOL_DIR": str(tmp_path / "spool"),
        "PYTHONPATH": "client",
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return {**os.environ, **variables}


def start_training(environment: dict[str, str], stop_file: Path) -> subprocess.Popen[str]:
    command = [sys.executable, "-c", TRAINING, str(stop_file)]
    return subprocess.Popen(
        command, env=environment, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )


def points(stack: Stack, run_id: str, metric: str) -> list[Any]:
    """Return steps and values of a run as SQL has them, in order."""
    return stack.rows(
        """SELECT step, value FROM experiments e JOIN run_points p ON p.experiment_id = e.id
            WHERE run_id = %s AND metric = %s
            UNION ALL
            SELECT s, v FROM experiments e JOIN run_histories h ON h.experiment_id = e.id,
                   unnest(steps, metric_values) AS u (s, v)
            WHERE run_id = %s AND metric = %s ORDER BY 1, 2""",
        run_id,
        metric,
        run_id,
        metric,
    )


def test_run_is_read_back_as_it_was_logged(
    stack: Stack, environment: dict[str, str], digits: dict[str, bytes]
) -> None:
    assert environment["MLOPS_URL"].endswith(str(stack.port))
    with client.start("reads", project="digits", lr=0.25, momentum=0.5, tags={"a": "b"}) as run:
        run.log(0, loss=2.0, test_accuracy=0.5)
        run.log(1, loss=float("nan"))
        run.log(2, loss=0.5, val_loss=1.5)
        run.note("A **note**.")
    document = client.experiment("reads")
    expected: dict[str, Any] = {
        "name": "reads",
        "run_id": run.run_id,
        "source": "api",
        "state": "finished",
        "project": "digits",
        "learning_rate": 0.25,
        "momentum": 0.5,
        "note": "A **note**.",
        "tags": {"a": "b"},
        "best_loss": 0.5,
    }
    assert {name: document[name] for name in expected} == expected
    assert document["metrics"]["test_accuracy"] == 0.5
    curve = client.curves("reads", frame=False)["reads"]
    assert [(step, str(value)) for step, value in curve.items()] == [
        (0, "2.0"),
        (1, "nan"),
        (2, "0.5"),
    ]
    table = client.leaderboard()
    assert table.loc["reads", "state"] == "finished"
    assert client.predict(digits["1"], frame=True, log=False).loc[0, "experiment_name"] == MODEL
    with pytest.raises(client.ApiProblemError) as error:
        client.experiment("none")
    assert error.value.status == 404


def test_refusals_of_the_service_are_told(
    environment: dict[str, str], caplog: pytest.LogCaptureFixture
) -> None:
    assert environment
    with client.start("refusals", lr=1) as run:
        run.log(0, {"x" * 300: 1.0, "loss": 1.0})
        run.tag({"ok": "1", "y" * 300: "2"})
        run.note("n" * 100_001)
    document = client.experiment("refusals")
    assert (document["state"], document["tags"], document["note"]) == ("finished", {"ok": "1"}, "")
    assert client.curves("refusals", frame=False) == {"refusals": {0: 1.0}}
    assert len(caplog.records) == 3
    assert all("is not stored" in record.message for record in caplog.records)


@pytest.mark.timeout(300)
def test_two_trainings_with_service_and_postgres_killed_store_every_point_once(
    stack: Stack, environment: dict[str, str], tmp_path: Path
) -> None:
    def wait_for_points() -> None:
        """Wait for new points of both trainings."""
        before = dict(stack.rows(LAST_STEPS))
        eventually(
            lambda: (
                len(after := dict(stack.rows(LAST_STEPS))) == 2
                and all(after[name] > before.get(name, -1) for name in after)
            )
        )

    stop_file = tmp_path / "stop"
    trainings = [start_training(environment, stop_file) for _ in range(2)]
    try:
        wait_for_points()
        stack.kill_service(whole_group=True)
        time.sleep(1)
        stack.start_service()
        wait_for_points()
        stack.postgres.kill()
        time.sleep(1)
        stack.postgres.open()
        wait_for_points()
    finally:
        stop_file.touch()
        outputs = [training.communicate(timeout=60) for training in trainings]
    assert [training.returncode for training in trainings] == [0, 0], outputs
    assert sorted(output.split()[0] for output, _ in outputs) == ["together", "together_2"]
    for output, errors in outputs:
        name, run_id, steps = output.split()
        logged = range(int(steps))
        assert points(stack, run_id, "loss") == [(step, step) for step in logged], errors
        assert points(stack, run_id, "accuracy") == [(step, 1 - step) for step in logged]
        assert client.experiment(name)["state"] == "finished"
        assert errors.count("kept on this machine") >= 1
    spool = Path(environment["MLOPS_SPOOL_DIR"])
    assert not spool.exists() or list(spool.iterdir()) == []


@pytest.fixture(scope="module")
def worker(stack: Stack, tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """A worker of the pipeline."""
    folder = tmp_path_factory.mktemp("worker")
    command = [sys.executable, "-m", "pipeline", "worker"]
    owner = stack.postgres.settings
    role = owner.libpq_variables("mlops_pipeline", owner.pipeline_password)
    environment = {**stack.environment, **role, "PIPELINE_WORK": str(folder / "pipeline")}
    log = folder / "worker.log"
    with log.open("wb") as file:
        process = subprocess.Popen(
            command, env=environment, stdout=file, stderr=file, start_new_session=True
        )
    yield
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


@pytest.mark.timeout(300)
@pytest.mark.usefixtures("environment", "worker")
def test_refused_model_raises_the_reason(tmp_path: Path) -> None:
    source = tmp_path / "model.keras"
    source.write_bytes(b"not a model")
    with pytest.raises(client.PublishError, match=r"Run \d+ of the pipeline is FAILED. .*keras"):
        client.publish(source, "refused")


@pytest.mark.timeout(300)
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.usefixtures("environment", "worker")
def test_notebook_trains_reads_predicts_and_publishes() -> None:
    notebook = nbformat.read(NOTEBOOK, as_version=4)  # type: ignore[no-untyped-call]
    assert all(cell.get("outputs", []) == [] for cell in notebook.cells)
    NotebookClient(notebook, timeout=200, kernel_name="python3").execute()
    trained = client.experiment("notebook_keras")
    assert trained["metrics"]["test_accuracy"] > 0.5  # of random weights
    assert trained["state"] == "finished"
    assert len(client.curves("notebook_keras", "val_loss")) == 4
    assert client.experiment("notebook_by_hand")["note"] == "Minimum of a **parabola**."
    published = notebook.cells[-1].outputs[0]["data"]["text/plain"]
    assert "name='notebook_keras', version=1, is_new=True" in published
    assert "state='READY'" in published
