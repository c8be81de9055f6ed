"""The profile scale: a Dask scheduler with two workers that only the internal network reaches."""

from tests.containers.conftest import Compose, inspect_object

COUNT_WORKERS = """
from distributed import Client
client = Client('tcp://127.0.0.1:8786', timeout=60)
client.wait_for_workers(2, timeout=60)
print(len(client.ncores()))
"""


def test_scale_profile_runs_two_workers_without_ports(compose: Compose) -> None:
    compose.run("--profile", "scale", "up", "-d", "--build", "--wait", "scheduler", "scale-worker")
    output = compose.run("exec", "-T", "scheduler", "python", "-c", COUNT_WORKERS)
    assert output.split()[-1] == "2"
    for service in ("scheduler", "scale-worker"):
        for container in compose.run("ps", "-q", service).split():
            description = inspect_object("inspect", container)
            assert list(description["NetworkSettings"]["Networks"]) == [f"{compose.name}_back"]
            assert not description["HostConfig"]["PortBindings"]
            assert description["Mounts"] == []
            assert description["HostConfig"]["ReadonlyRootfs"]
            assert not any("PASSWORD" in variable for variable in description["Config"]["Env"])
