"""Worker of the learning loop: its container, its runs, and what it adds to the others."""

import json
import subprocess
from typing import Any

import pytest
import requests

from inference.compiler.sandbox import missing_features
from tests.containers.conftest import BASE_IMAGE, DOCKER, Compose, inspect_object, wait_until
from tests.support.learning_data import different_digits

MEMORY_BYTES = 3 * 2**30
MAX_IMAGE_BYTES = 1700 * 10**6  # above the base image
EXPERIMENT = "mnist_experiment_5__mlp_128"
RUN_SECONDS = 180
UPLOADED = 5
REQUEST = "SELECT run_id FROM request_run('mnist', '{name}', '{params}', 'manual', 'test', 'test')"


@pytest.fixture
def container(loop: Compose) -> dict[str, Any]:
    return loop.inspect("pipeline")


def request_run(compose: Compose, name: str, **params: object) -> int:
    [(run_id,)] = compose.rows(REQUEST.format(name=name, params=json.dumps(params)))
    assert isinstance(run_id, int)
    return run_id


def upload(compose: Compose) -> requests.Response:
    """Upload digits as a CSV file."""
    images, labels = different_digits(UPLOADED, 3)
    header = ["label", *(f"pixel{number}" for number in range(images[0].size))]
    rows = [header, *([label, *image.ravel()] for image, label in zip(images, labels, strict=True))]
    content = "\n".join(",".join(map(str, row)) for row in rows)
    return requests.post(
        f"{compose.api_url}/load_new_data?task=mnist",
        files={"file": ("digits.csv", content)},
        data={"by": "test"},
        timeout=10,
    )


def wait_for_end(compose: Compose, run_id: int) -> tuple[object, ...]:
    """Return the state of a run that has ended, and its reason."""
    statement = f"SELECT state, reason FROM pipeline_runs WHERE id = {run_id}"
    wait_until(lambda: compose.rows(statement)[0][0] not in {"QUEUED", "RUNNING"}, RUN_SECONDS)
    return compose.rows(statement)[0]


def test_worker_writes_to_models_and_has_no_privileges(container: dict[str, Any]) -> None:
    host = container["HostConfig"]
    assert container["Config"]["User"] == "10001:10001"
    assert (host["ReadonlyRootfs"], host["CapDrop"], host["Privileged"]) == (True, ["ALL"], False)
    assert (host["Memory"], host["PidsLimit"]) == (MEMORY_BYTES, 256)
    assert not any(container["NetworkSettings"]["Ports"].values())  # none is published
    writable = {mount["Destination"] for mount in container["Mounts"] if mount["RW"]}
    assert writable == {"/models", "/images", "/pipeline"}


def test_image_size_is_within_budget(container: dict[str, Any]) -> None:
    images = (container["Image"], BASE_IMAGE)
    size, base = (inspect_object("image", "inspect", image)["Size"] for image in images)
    assert size - base < MAX_IMAGE_BYTES


def test_worker_is_on_the_inner_networks_and_reaches_s3(
    container: dict[str, Any], loop: Compose
) -> None:
    networks = container["NetworkSettings"]["Networks"]
    assert {name.removeprefix(f"{loop.name}_") for name in networks} == {"back", "front", "scale"}


def test_inference_image_has_nothing_of_the_loop(loop: Compose) -> None:
    find = (
        "import importlib.util as u; "
        "print([n for n in ('procrastinate', 'optuna', 'dask', 'pipeline') if u.find_spec(n)])"
    )
    assert loop.run("exec", "-T", "inference", "python", "-c", find).strip() == "[]"


def test_container_has_the_whole_sandbox_of_the_host(loop: Compose) -> None:
    script = "from inference.compiler import sandbox; print(sandbox.missing_features())"
    output = loop.run("exec", "-T", "pipeline", "python", "-c", script)
    assert output.strip() == str(missing_features())


def test_run_after_a_kill_reads_an_upload_and_publishes(loop: Compose) -> None:
    """The model of so few digits is published only because the setting of the probe is passed."""
    before = set((loop.folder / "models" / EXPERIMENT).iterdir())
    assert upload(loop).status_code == 202
    run_id = request_run(loop, EXPERIMENT, seeds=1, keep=True)
    started = f"SELECT 1 FROM pipeline_steps WHERE run_id = {run_id}"
    wait_until(lambda: bool(loop.rows(started)))
    loop.run("kill", "-s", "KILL", "pipeline")
    settings = {"PROBE_MIN_ACCURACY": "0.05"}
    loop.run("--profile", "loop", "up", "-d", "--wait", "pipeline", **settings)
    state, reason = wait_for_end(loop, run_id)
    assert state == "SUCCEEDED", reason
    assert loop.rows("SELECT state, images FROM uploads") == [("ACCEPTED", UPLOADED)]
    decisions = f"SELECT count(*) FROM promotion_decisions WHERE run_id = {run_id}"
    assert loop.rows(decisions) == [(1,)]
    [version] = set((loop.folder / "models" / EXPERIMENT).iterdir()) - before
    assert (version / "model.tflite").is_file()


def test_run_without_mnist_and_network_says_what_to_do(loop: Compose) -> None:
    network = f"{loop.name}_front"
    try:
        loop.run("--profile", "loop", "up", "-d", "--wait", "pipeline", MNIST_PATH="")
        container = loop.inspect("pipeline")["Id"]
        subprocess.run([DOCKER, "network", "disconnect", network, container], check=True)
        state, reason = wait_for_end(loop, request_run(loop, EXPERIMENT))
    finally:
        loop.run("rm", "--stop", "--force", "pipeline")
    assert state == "FAILED"
    assert str(reason).startswith("ingest: The base dataset cannot be read: Keras cannot download")
    assert "Set MNIST_PATH" in str(reason)
