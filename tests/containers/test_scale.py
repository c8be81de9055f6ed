"""The profile scale: a Dask cluster on a network that only the pipeline's worker shares."""

import json

import pytest

from tests.containers.conftest import Compose, inspect_object, wait_until

SCHEDULER_URL = "tcp://scheduler:8786"
EXPERIMENT = "mnist_experiment_12__lenet5"
COUNT_WORKERS = """
from distributed import Client
client = Client('tcp://127.0.0.1:8786', timeout=60)
client.wait_for_workers(2, timeout=60)
print(len(client.ncores()))
"""
REACH = "import socket; socket.create_connection(({host!r}, {port}), timeout=2)"
REQUEST = "SELECT request_score('mnist', '{params}', 'test', 'a test')"


@pytest.fixture(scope="module")
def cluster(loop: Compose) -> Compose:
    """Start the cluster, and the worker with its address."""
    loop.variables["SCALE_URL"] = SCHEDULER_URL
    loop.run("--profile", "loop", "--profile", "scale", "up", "-d", "--build", "--wait")
    return loop


def addresses(compose: Compose, service: str) -> dict[str, str]:
    """Return the networks of a service's container, without the project's name."""
    networks = compose.inspect(service)["NetworkSettings"]["Networks"]
    return {
        name.removeprefix(f"{compose.name}_"): network["IPAddress"]
        for name, network in networks.items()
    }


def test_scale_profile_runs_two_workers_without_ports(cluster: Compose) -> None:
    output = cluster.run("exec", "-T", "scheduler", "python", "-c", COUNT_WORKERS)
    assert output.split()[-1] == "2"
    for service in ("scheduler", "scale-worker"):
        for container in cluster.run("ps", "-q", service).split():
            description = inspect_object("inspect", container)
            assert list(description["NetworkSettings"]["Networks"]) == [f"{cluster.name}_scale"]
            host = description["HostConfig"]
            assert not host["PortBindings"]
            assert (host["ReadonlyRootfs"], host["CapDrop"], host["CapAdd"]) == (
                True,
                ["ALL"],
                None,
            )
            assert "no-new-privileges:true" in host["SecurityOpt"]
            assert description["Config"]["User"] == "10001:10001"
            assert description["Mounts"] == []
            assert not any("PASSWORD" in variable for variable in description["Config"]["Env"])
    assert inspect_object("network", "inspect", f"{cluster.name}_scale")["Internal"]


@pytest.mark.parametrize("service", ["inference", "web"])
def test_scheduler_is_unreachable_for_other_services(cluster: Compose, service: str) -> None:
    for host in ("scheduler", addresses(cluster, "scheduler")["scale"]):
        reach = REACH.format(host=host, port=8786)
        cluster.run("exec", "-T", "pipeline", "python", "-c", reach)
        assert cluster.call("exec", "-T", service, "python", "-c", reach).returncode == 1


def test_cluster_does_not_reach_postgres_and_inference(cluster: Compose) -> None:
    """Names are not tried: a network without a way out takes seconds to miss one."""
    for service, port in (("db", 5432), ("inference", 9090)):
        reach = REACH.format(host=addresses(cluster, service)["back"], port=port)
        cluster.run("exec", "-T", "pipeline", "python", "-c", reach)
        assert cluster.call("exec", "-T", "scheduler", "python", "-c", reach).returncode == 1


def test_scoring_run_succeeds_on_the_cluster(cluster: Compose) -> None:
    params = json.dumps({"experiments": [EXPERIMENT], "dataset": "base"})
    [(run_id,)] = cluster.rows(REQUEST.format(params=params))
    state = f"SELECT state, reason FROM pipeline_runs WHERE id = {run_id}"
    wait_until(lambda: cluster.rows(state)[0][0] not in {"QUEUED", "RUNNING"})
    assert cluster.rows(state) == [("SUCCEEDED", None)]
    outputs = f"SELECT outputs->'rows' FROM pipeline_steps WHERE run_id = {run_id}"
    assert cluster.rows(outputs) == [(660,)]
