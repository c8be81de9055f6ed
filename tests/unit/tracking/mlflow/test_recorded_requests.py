"""Recorded requests of mlflow 3.17.2: `model.fit` with `mlflow.keras.autolog()`, 3 epochs.

RUN_ID and MODEL_ID stand for the ids of the answers. Bodies of files and datasets are shortened.
"""

import json
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from tests.support.mlflow_stores import FakeStores
from tracking.names import rates

RECORD = Path(__file__).parents[3] / "corpus" / "mlflow_keras_autolog.jsonl"


@pytest.fixture
def played() -> FakeStores:
    """Stores after all requests, each of which was accepted. Every write is sent twice."""
    stores, ids = FakeStores(), {"RUN_ID": "", "MODEL_ID": ""}
    client = TestClient(Starlette(routes=stores.routes()))
    for line in RECORD.read_text().splitlines():
        for name, value in ids.items():
            line = line.replace(name, value or name)  # noqa: PLW2901
        method, path, body = json.loads(line)
        for attempt in range(1 if "create" in path and "runs" not in path else 2):
            response = client.request(method, f"/api/2.0/{path}", content=body)
            expected = 404 if "get-by-name" in path else 200
            assert response.status_code == expected, (path, attempt, response.text)
        if path.endswith("runs/create"):
            ids["RUN_ID"] = response.json()["run"]["info"]["run_id"]
        if path.endswith("logged-models"):
            ids["MODEL_ID"] = response.json()["model"]["info"]["model_id"]
    return stores


def test_recorded_training_is_one_finished_run(played: FakeStores) -> None:
    [run] = played.runs.runs.values()
    assert (run.state, run.owner, run.source) == ("finished", "root", "mlflow")
    assert run.name == "mnist_20261127_155452"
    assert run.tags["mlflow.autologging"] == "keras"
    assert rates(run.params) == (0.01, 0.9)


def test_recorded_points_are_kept_once_each(played: FakeStores) -> None:
    [run_id] = played.runs.runs
    for metric in ("loss", "accuracy", "val_loss", "val_accuracy"):
        assert [point.step for point in played.runs.points(run_id, metric)] == [0, 1, 2]
    # Autologging of Keras 3 sends validation metrics without a step.
    points = played.runs.points(run_id, "validation_loss")
    assert [point.step for point in points] == [0, 0, 0]
    assert len({point.logged_at for point in points}) == 3


def test_recorded_summary_is_stored_and_model_noted(played: FakeStores) -> None:
    refused = {
        path: found.artifact.refused is not None
        for (_, path), found in played.artifacts.artifacts.items()
    }
    assert refused.pop("model_summary.txt") is False
    assert all(refused.values())
    assert {path.rsplit("/", 1)[1] for path in refused} >= {"MLmodel", "model.keras"}
