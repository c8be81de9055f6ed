"""Unmodified scripts with the real MLflow client, against a running service and Postgres.

Three tests share a service: each one logs runs of its own. They start processes that import MLflow,
TensorFlow and scikit-learn, and the first one installs MLflow's client.
"""

from __future__ import annotations

import hashlib
import json
import re
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from local import ports
from tests.support.database import connect
from tests.support.mlflow_client import finish, read_log, run_script, start_script
from tests.support.tracked_service import TrackedService, run_service

pytestmark = [pytest.mark.slow, pytest.mark.timeout(500)]
KEY = "key-of-the-tests"
AUTOLOG = "FROM experiments WHERE tags ->> 'mlflow.autologging' = %s"
POINTS = 150  # of the script steady
SECONDS = 150  # the client takes long to start on a busy machine
WARNING = re.compile("(WARNING|ERROR) mlflow|Traceback")  # of MLflow's client
# About the files of a model, which are not stored.
HARMLESS = ("`artifact_path` is deprecated", "inferring pip requirements")
MODEL_FILES = {"MLmodel", "model.pkl"}
# Folders of files that autologging uploads and the service does not keep.
FOLDERS = {"keras": {"models"}, "tensorflow": {"models", "checkpoints", "tensorboard_logs"}}


class Rows:
    """Queries of the service's database."""

    def __init__(self, environment: dict[str, str]) -> None:
        self._connection = connect(environment)
        self._connection.autocommit = True

    def __call__(self, statement: str, *arguments: Any) -> list[Any]:
        with self._connection.cursor() as cursor:
            cursor.execute(statement, arguments or None)
            return cursor.fetchall() if cursor.description else []

    def wait_for(self, expected: object, statement: str, *arguments: Any) -> None:
        """Wait until a query has these rows. Curves follow the points within a second."""
        deadline = time.monotonic() + SECONDS
        while (found := self(statement, *arguments)) != expected:
            assert time.monotonic() < deadline, found
            time.sleep(0.05)

    def close(self) -> None:
        self._connection.close()


@pytest.fixture(scope="module")
def rows(module_database: dict[str, str]) -> Iterator[Rows]:
    opened = Rows(module_database)
    opened("INSERT INTO experiments (name, learning_rate, momentum, metrics, source_file,"
           " source_line, content_digest)"
           " VALUES ('csv', 0.5, 0.9, '{\"test_accuracy\": 0.5}', 'data.csv', 2, '')")  # fmt: skip
    opened("INSERT INTO metric_curves (experiment_id, metric, steps, metric_values, best_value,"
           " best_step) SELECT id, 'loss', '{100,250}', '{0.5,0.25}', 0.25, 250"
           " FROM experiments")  # fmt: skip
    yield opened
    opened.close()


@pytest.fixture(scope="module")
def variables(module_database: dict[str, str]) -> dict[str, str]:
    """The environment of the service, whose role is mlops_app."""
    return {**module_database, "PGUSER": "mlops_app", "PGPASSWORD": "pass123"}


@pytest.fixture(scope="module")
def service(
    variables: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[TrackedService]:
    folder = tmp_path_factory.mktemp("service")
    keys = folder / "keys"
    keys.write_text(f"{hashlib.sha256(KEY.encode()).hexdigest()} the tests\n")
    with run_service(folder, key=KEY, API_KEYS_FILE=str(keys), **variables) as running:
        yield running


def test_quickstart_and_search(service: TrackedService, rows: Rows) -> None:
    run_script("quickstart", service.root, key=KEY)
    experiment = "SELECT source, state, learning_rate, momentum, note, owner IS NOT NULL,"
    experiment += " metrics FROM experiments WHERE name = 'lenet'"
    metrics = {"loss": 0.2, "accuracy": 0.8, "validation_loss": 0.4, "test_accuracy": 0.97}
    expected = [("mlflow", "finished", 0.1, 0.9, "# First run", True, metrics)]
    rows.wait_for(expected, experiment)
    curve = "SELECT steps, last_value FROM metric_curves WHERE metric = 'validation_loss'"
    assert rows(curve) == [([0, 1, 2, 3, 4], 0.4)]

    found = json.loads(run_script("search", service.root, key=KEY))
    assert (found["name"], found["deleted"], found["renamed"]) == ("lenet", "deleted", "le_net")
    assert found["params"] == {"lr": "0.1", "momentum": "0.9", "architecture": "LeNet-5"}
    assert found["metrics"] == {"loss": 0.2, "acc": 0.8, "val_loss": 0.4, "test_acc": 0.97}
    assert found["history"] == [[step, 1 / (step + 1)] for step in range(5)]
    assert (found["artifacts"], found["text"]) == (["config.json", "notes"], "A note")
    assert "make publish" in found["refusal"]
    assert "INVALID_PARAMETER_VALUE" in found["changed"]
    assert "Supported are" in found["unsupported"]
    assert {"csv", "le_net"} <= set(found["names"])
    assert 0.5 in found["accuracies"]
    assert found["csv_metrics"] == {"loss": 0.25, "test_accuracy": 0.5}
    assert found["csv_history"] == [[100, 0.5], [250, 0.25]]
    refused = "SELECT path FROM run_artifacts WHERE refused IS NOT NULL ORDER BY path"
    assert rows(refused) == [("model.pkl",)]


@pytest.mark.parametrize("integration", ["keras", "tensorflow"])
def test_autolog_of_model_fit(service: TrackedService, rows: Rows, integration: str) -> None:
    log = read_log(start_script("keras_autolog", service.root, integration, key=KEY))
    warnings = [line for line in log.splitlines() if WARNING.search(line)]
    assert all(any(text in line for text in HARMLESS) for line in warnings), log
    selected = f"SELECT id, name, state, learning_rate, momentum {AUTOLOG}"
    [(number, name, *values)] = rows(selected, integration)
    assert name.startswith("mnist_2")
    assert values == ["finished", 0.01, 0.9]
    curves = "SELECT metric, steps FROM metric_curves WHERE experiment_id = %s ORDER BY metric"
    metrics = ("accuracy", "loss", "validation_accuracy", "validation_loss")
    rows.wait_for([(metric, [0, 1, 2]) for metric in metrics], curves, number)
    files = "SELECT path, refused IS NOT NULL FROM run_artifacts WHERE experiment_id = %s"
    noted = dict(rows(files, number))
    refused = {path.split("/")[0] for path, is_refused in noted.items() if is_refused}
    assert refused == FOLDERS[integration]
    assert noted["model_summary.txt"] is False


def test_sklearn_autolog_with_pickle(service: TrackedService, rows: Rows) -> None:
    run_script("sklearn_autolog", service.root, key=KEY)
    [(number, state)] = rows(f"SELECT id, state {AUTOLOG}", "sklearn")
    assert state == "finished"
    models = "SELECT name, status FROM logged_models WHERE experiment_id = %s"
    assert rows(models, number) == [("model", "LOGGED_MODEL_READY")]
    files = "SELECT path, refused IS NOT NULL FROM run_artifacts WHERE experiment_id = %s"
    noted = {path.split("/")[-1]: is_refused for path, is_refused in rows(files, number)}
    noted = {name: is_refused for name, is_refused in noted.items() if name in MODEL_FILES}
    assert noted.keys() == MODEL_FILES
    assert all(noted.values())


def test_two_processes_survive_kills(tmp_path: Path, variables: dict[str, str], rows: Rows) -> None:
    """No point is lost, and none is there twice, when tracking or the whole service is killed."""
    variables = {**variables, "API_PORT": str(ports.find_free())}
    with run_service(tmp_path, **variables) as service:
        scripts = [start_script("steady", service.root, f"steady{number}") for number in range(2)]
        wait_for_points(rows, 20)
        service.wait_for_tracking().kill()
        wait_for_points(rows, 120)
        kill_all(service.process)
    with run_service(tmp_path, **variables):
        for script in scripts:
            finish(script, 200)
        histories = "SELECT e.name, e.state, h.steps FROM experiments e JOIN run_histories h"
        histories += " ON h.experiment_id = e.id WHERE e.name LIKE 'steady%' ORDER BY 1"
        points = "SELECT e.name, e.state, array_agg(p.step ORDER BY p.step) FROM experiments e"
        points += " JOIN run_points p ON p.experiment_id = e.id WHERE e.name LIKE 'steady%'"
        points += " GROUP BY 1, 2 ORDER BY 1"
        expected = [(f"steady{number}", "finished", list(range(POINTS))) for number in range(2)]
        assert sorted(rows(histories) + rows(points)) == expected


def wait_for_points(rows: Rows, count: int) -> None:
    """Wait until the scripts have logged some points."""
    statement = "SELECT count(*) FROM run_points p JOIN experiments e ON e.id = p.experiment_id"
    deadline = time.monotonic() + SECONDS
    while rows(f"{statement} WHERE e.name LIKE 'steady%'")[0][0] < count:
        assert time.monotonic() < deadline
        time.sleep(0.05)


def kill_all(process: psutil.Process) -> None:
    """Kill a service with all its processes, as a power failure does."""
    processes = [process, *process.children(recursive=True)]
    for victim in processes:
        victim.kill()
    psutil.wait_procs(processes, timeout=10)
