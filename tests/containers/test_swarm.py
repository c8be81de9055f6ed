"""deploy/stack.yml on a Docker Swarm of two nodes: rolling updates without a failed request.

SWARM_NODE2 is the command that runs docker on the second node.
"""

import functools
import hashlib
import os
import shlex
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
import requests

from local import ports
from tests.containers.conftest import (
    BUILD_AND_START_SECONDS,
    DOCKER,
    LONG_PAUSE_SECONDS,
    wait_until,
)
from tests.containers.images import build_images, remove_images
from tests.containers.traffic import assert_all_answered, assert_stored_once, predictions

NODE2 = shlex.split(os.environ.get("SWARM_NODE2", ""))
pytestmark = pytest.mark.skipif(not NODE2, reason="SWARM_NODE2 is not set: no second node")
REPLICAS = 3
UPDATE_SECONDS = 600


class Swarm:
    """The stack of a copy of the project, with images of its own on both nodes."""

    def __init__(self, folder: Path) -> None:
        """Build the images, create the secrets and deploy the stack."""
        self.folder = folder
        self.name = f"test-{uuid.uuid4().hex[:8]}"
        self.port = ports.find_free()
        self.images = build_images(folder, self.name)
        for image in self.images.values():
            with subprocess.Popen([DOCKER, "save", image], stdout=subprocess.PIPE) as saved:
                subprocess.run([*NODE2, "load", "-q"], stdin=saved.stdout, check=True)
            assert saved.returncode == 0
        subprocess.run([sys.executable, "-m", "local.passwords"], cwd=folder, check=True)
        self.key = (folder / "secrets" / "api_key").read_text().strip()

    def docker(self, *arguments: str) -> str:
        """Run docker on the first node and return its output."""
        digest = hashlib.sha256((self.folder / "data.csv").read_bytes()).hexdigest()[:12]
        result = subprocess.run(
            [DOCKER, *arguments],
            cwd=self.folder,
            env={
                **os.environ,
                **{f"{name}_IMAGE": image for name, image in self.images.items()},
                "API_PORT": str(self.port),
                "WEB_PORT": str(ports.find_free()),
                "DATA_CSV_DIGEST": f"{digest}-{self.name}",
            },
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=BUILD_AND_START_SECONDS,
            check=False,
        )
        assert result.returncode == 0, result.stdout[-3000:]
        return result.stdout

    def deploy(self) -> None:
        """Deploy deploy/stack.yml, and wait until all replicas serve."""
        self.docker("node", "update", "--label-add", "mlops.db=true", self.this_node())
        stack = ["--resolve-image", "never", "-c", "deploy/stack.yml", self.name]
        self.docker("stack", "deploy", *stack)
        wait_until(
            lambda: self.running() == REPLICAS and self.is_ready(),
            UPDATE_SECONDS,
            LONG_PAUSE_SECONDS,
        )

    def this_node(self) -> str:
        return self.docker("info", "-f", "{{.Swarm.NodeID}}").strip()

    def running(self) -> int:
        """Return the number of replicas of the inference service that are healthy."""
        services = ["service", "ls", "--filter", f"name={self.name}_inference"]
        return int(self.docker(*services, "--format", "{{.Replicas}}").split("/")[0])

    def is_ready(self) -> bool:
        url = f"http://localhost:{self.port}/api/v1.0/readyz"
        dependencies = requests.get(url, timeout=5).json()["dependencies"]
        return bool(dependencies["database"]["status"] == "ok")

    def update(self, *options: str) -> str:
        """Update the inference service, wait for its end, and return the state of the update."""
        service = f"{self.name}_inference"
        self.docker("service", "update", "--detach", "--no-resolve-image", *options, service)
        state = ""

        def has_ended() -> bool:
            nonlocal state
            state = self.docker("service", "inspect", "-f", "{{.UpdateStatus.State}}", service)
            return state.strip() not in {"updating", "rollback_started"}

        time.sleep(1)  # the state is that of the update before until the manager begins
        wait_until(has_ended, UPDATE_SECONDS, LONG_PAUSE_SECONDS)
        return state.strip()

    def rows(self, query: str) -> list[tuple[object, ...]]:
        """Return the rows of a query of one column."""
        [container] = self.docker("ps", "-q", "--filter", f"name={self.name}_db\\.").split()
        psql = ["psql", "-U", "postgres", "-d", "mlopsdb", "-Atc", query]
        return [(line,) for line in self.docker("exec", container, *psql).splitlines()]

    def tear_down(self) -> None:
        """Remove the stack with its volumes and images from both nodes."""
        self.docker("stack", "rm", self.name)
        volumes = ["volume", "ls", "-q", "--filter", f"name={self.name}_"]
        for node in ([DOCKER], NODE2):
            containers = [*node, "ps", "-aq", "--filter", f"name={self.name}_"]
            wait_until(functools.partial(is_empty, containers), pause_seconds=LONG_PAUSE_SECONDS)
            for volume in output(*node, *volumes).split():
                output(*node, "volume", "rm", volume)
        remove_images(self.images)


def is_empty(command: Sequence[str]) -> bool:
    """Return whether a command has no output."""
    return not output(*command)


def output(*command: str) -> str:
    return subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout


@pytest.fixture(scope="module")
def swarm(project: Path) -> Iterator[Swarm]:
    swarm = Swarm(project)
    try:
        swarm.deploy()
        yield swarm
    finally:
        swarm.tear_down()


def test_replicas_are_on_both_nodes(swarm: Swarm) -> None:
    tasks = ["service", "ps", f"{swarm.name}_inference", "--filter", "desired-state=running"]
    assert len(set(swarm.docker(*tasks, "--format", "{{.Node}}").split())) == 2


def test_rolling_update_fails_no_request(swarm: Swarm) -> None:
    with predictions(swarm.port, swarm.key) as load:
        assert swarm.update("--env-add", "REVISION=2") == "completed"
    assert_all_answered(load.answers)
    assert_stored_once(swarm.rows, load.answers)


def test_version_that_is_never_ready_gets_no_request(swarm: Swarm) -> None:
    with predictions(swarm.port, swarm.key) as load:
        # The port of the probe is another one.
        assert swarm.update("--env-add", "PORT=9091", "--health-start-period", "2s") in {
            "rollback_completed",
            "paused",
        }
    assert_all_answered(load.answers)
    assert swarm.running() == REPLICAS
