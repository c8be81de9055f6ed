"""Worker of the learning loop: its container, and what it adds to the others."""

from typing import Any

import pytest

from tests.containers.conftest import Compose, inspect_object, wait_until

MEMORY_BYTES = 3 * 2**30
REQUEST = """
    SELECT run_id FROM request_run('mnist', 'no-such-recipe', '{}', 'manual', 'test', 'a test')
"""


@pytest.fixture(scope="module")
def container(compose: Compose) -> dict[str, Any]:
    """Start the worker as README.md says, with a model directory that it can write to."""
    (compose.folder / "models").chmod(0o777)
    compose.run("--profile", "loop", "up", "-d", "--build", "--wait", "pipeline")
    return compose.inspect("pipeline")


def test_worker_writes_to_models_and_has_no_privileges(container: dict[str, Any]) -> None:
    host = container["HostConfig"]
    assert container["Config"]["User"] == "10001:10001"
    assert (host["ReadonlyRootfs"], host["CapDrop"], host["Privileged"]) == (True, ["ALL"], False)
    assert (host["Memory"], host["PidsLimit"]) == (MEMORY_BYTES, 256)
    assert not any(container["NetworkSettings"]["Ports"].values())  # none is published
    writable = {mount["Destination"] for mount in container["Mounts"] if mount["RW"]}
    assert writable == {"/models", "/images", "/pipeline"}


def test_worker_is_on_the_inner_network_and_reaches_s3(
    container: dict[str, Any], compose: Compose
) -> None:
    networks = container["NetworkSettings"]["Networks"]
    assert {name.removeprefix(f"{compose.name}_") for name in networks} == {"back", "front"}


def test_inference_image_has_nothing_of_the_loop(
    container: dict[str, Any], compose: Compose
) -> None:
    assert inspect_object("inspect", container["Id"])["State"]["Health"]["Status"] == "healthy"
    found = compose.run(
        "exec",
        "-T",
        "inference",
        "python",
        "-c",
        "import importlib.util as u; "
        "print([n for n in ('procrastinate', 'optuna', 'dask', 'pipeline') if u.find_spec(n)])",
    )
    assert found.strip() == "[]"


def test_worker_takes_a_run_also_after_a_kill(container: dict[str, Any], compose: Compose) -> None:
    compose.run("kill", "-s", "KILL", "pipeline")
    compose.run("--profile", "loop", "up", "-d", "--wait", "pipeline")
    [(run_id,)] = compose.rows(REQUEST)

    def has_started() -> bool:
        return bool(compose.rows(f"SELECT 1 FROM pipeline_steps WHERE run_id = {run_id}"))

    wait_until(has_started)
    [(worker,)] = compose.rows(f"SELECT worker FROM pipeline_runs WHERE id = {run_id}")
    assert str(worker).startswith(container["Id"][:12])
