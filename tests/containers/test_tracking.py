"""Tracking and publishing in containers: runs of both addresses, and an uploaded model."""

import uuid
from http import HTTPStatus
from typing import Any

import ml_ops_starter_client as client
import requests

from inference.model_format.card import KERAS_FILE
from tests.containers.conftest import Compose, wait_until

MODEL = "mnist_experiment_1__softmax_regression"
PUBLISHED = "published_in_containers"
POINT = {"metric": "loss", "step": 1, "value": 0.5, "at": 1_000}
TEXT = b"kept in the volume of images"
SECONDS = 10


def post(url: str, **document: object) -> Any:
    response = requests.post(url, json=document, timeout=SECONDS)
    response.raise_for_status()
    return response.json()


def wait_for_tracking(compose: Compose) -> None:
    """Wait for the tracking process, which starts after the service is ready."""
    url = f"{compose.api_url}/experiments/none/artifacts"
    wait_until(lambda: requests.get(url, timeout=SECONDS).status_code == HTTPStatus.NOT_FOUND)


def test_runs_of_both_addresses_survive_a_restart(compose: Compose) -> None:
    root = compose.api_url.removesuffix("/api/v1.0")
    native, mlflow = f"{compose.api_url}/experiments", f"{root}/api/2.0/mlflow"
    wait_for_tracking(compose)
    name = f"native_{uuid.uuid4().hex[:8]}"
    post(native, name=name, params={"lr": 0.1})
    post(f"{native}/{name}/points", points=[POINT])
    created = post(f"{mlflow}/runs/create", experiment_id="0", start_time=1, run_name="by_mlflow")
    run_id = created["run"]["info"]["run_id"]
    post(f"{mlflow}/runs/log-metric", run_id=run_id, key="loss", value=0.25, timestamp=2, step=3)
    file = f"{root}/api/2.0/mlflow-artifacts/artifacts/0/{run_id}/artifacts/notes.txt"
    assert requests.put(file, data=TEXT, timeout=SECONDS).status_code == 200

    compose.run("restart", "inference")

    wait_for_tracking(compose)
    points = f"{native}/{name}/points"
    later = {**POINT, "step": 2, "at": 2_000}
    assert post(points, points=[POINT, later]) == {"stored": 2}
    found = requests.get(points, params={"metric": "loss"}, timeout=SECONDS).json()["points"]
    assert [(point["step"], point["at"]) for point in found] == [(1, 1_000), (2, 2_000)]
    run = requests.get(f"{mlflow}/runs/get", params={"run_id": run_id}, timeout=SECONDS).json()
    assert [metric["value"] for metric in run["run"]["data"]["metrics"]] == [0.25]
    assert requests.get(file, timeout=SECONDS).content == TEXT


def test_uploaded_model_is_published_by_the_worker(loop: Compose) -> None:
    loop.run("--profile", "loop", "up", "-d", "--wait", "pipeline")
    url = loop.api_url.removesuffix("/api/v1.0")
    file = loop.folder / "models" / MODEL / KERAS_FILE
    published = client.publish(file, PUBLISHED, test_accuracy=0.9, url=url)
    assert (published.version, published.is_new, published.state) == (1, True, "READY")
    assert loop.rows(
        f"SELECT source, state, metrics ->> 'test_accuracy' FROM experiments"
        f" WHERE name = '{PUBLISHED}'"
    ) == [("pipeline", "finished", "0.9")]
