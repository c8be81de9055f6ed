"""Fixtures: one compose stack for most tests, built from a copy of the project.

Needs a Docker engine. With `pytest -n`, the tests of this stack run in one process, and the files
with a stack of their own in others.
"""

import json
import os
import shutil
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg2
import pytest
import requests
from xdist.scheduler import LoadScopeScheduling  # type: ignore[import-untyped]

from local import ports
from tests.support.learning_data import write_base

ROOT = Path(__file__).parent.parent.parent
BUILD_AND_START_SECONDS = 1500
TIMEOUT_SECONDS = 60
# Between two looks, and where a look starts a program that takes much CPU time
PAUSE_SECONDS, LONG_PAUSE_SECONDS = 0.2, 1.0
# The stack of the fixture `compose`, then the files with a stack of their own, longest first
GROUPS = (
    "compose",
    "test_kubernetes",
    "test_swarm",
    "test_gateway",
    "test_starved_postgres",
    "test_open",
    "test_bundle",
)
BASE_IMAGE = "python:3.13-slim"
DOCKER = shutil.which("docker") or "docker"


def group_of(file: Path) -> int:
    """Return the position in GROUPS of the stack that the tests of a file use."""
    return GROUPS.index(file.stem) if file.stem in GROUPS else 0


def pytest_xdist_make_scheduler(config: pytest.Config, log: Any) -> Any:
    """Return a scheduler that gives the tests of one stack to one process."""
    scheduler = LoadScopeScheduling(config, log)
    scheduler._split_scope = lambda name: GROUPS[group_of(Path(name.partition("::")[0]))]
    return scheduler


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.timeout(BUILD_AND_START_SECONDS))
    items.sort(key=lambda item: group_of(item.path))


class Compose:
    """A stack of a copy of the project, with a separate name and separate ports."""

    def __init__(self, folder: Path, **variables: str) -> None:
        self.folder = folder
        self.ports = {
            name: str(ports.find_free())
            for name in ("WEB_PORT", "API_PORT", "DB_PORT", "PGADMIN_PORT")
        }
        self.variables = variables
        self.name = f"test-{uuid.uuid4().hex[:8]}"
        self.api_url = f"http://localhost:{self.ports['API_PORT']}/api/v1.0"
        self.web_url = f"http://localhost:{self.ports['WEB_PORT']}"
        self.password = "pass123"

    def call(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run docker compose and return the finished process."""
        return subprocess.run(
            [DOCKER, "compose", "-p", self.name, *arguments],
            cwd=self.folder,
            # Services of other tests do not track.
            env={**os.environ, "TRACKING": "1", **self.ports, **self.variables, **variables},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=BUILD_AND_START_SECONDS,
            check=False,
        )

    def run(self, *arguments: str, **variables: str) -> str:
        """Run docker compose successfully and return its output."""
        result = self.call(*arguments, **variables)
        assert result.returncode == 0, result.stdout[-5000:]
        return result.stdout

    def inspect(self, service: str) -> dict[str, Any]:
        """Return the engine's description of a service's container."""
        container = self.run("ps", "-a", "-q", service).split()[-1]
        return inspect_object("inspect", container)

    def rows(self, query: str) -> list[tuple[object, ...]]:
        """Return the rows of a query by the owner role through the published port."""
        return read_rows(self.ports["DB_PORT"], self.password, query)

    def tear_down(self) -> None:
        """Remove the stack with its volumes and images."""
        self.run("--profile", "*", "down", "--volumes", "--remove-orphans", "--rmi", "local")


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the project like a fresh clone."""
    folder = tmp_path_factory.mktemp("compose") / "project"
    ignore = shutil.ignore_patterns(
        ".git", ".venv", ".local", ".env", "secrets", "*_cache", "__pycache__"
    )
    shutil.copytree(ROOT, folder, ignore=ignore)
    return folder


@pytest.fixture(scope="session")
def compose(project: Path) -> Iterator[Compose]:
    """Start the stack as described in README.md."""
    stack = Compose(project)
    try:
        stack.run("up", "-d", "--build", "--wait")
        yield stack
    finally:
        stack.tear_down()


@pytest.fixture(scope="session")
def pgadmin_url(compose: Compose) -> str:
    compose.run("--profile", "pgadmin", "up", "-d", "--build", "--wait", "pgadmin")
    return f"http://localhost:{compose.ports['PGADMIN_PORT']}"


@pytest.fixture(scope="session")
def loop(compose: Compose, tmp_path_factory: pytest.TempPathFactory) -> Compose:
    """Add the worker of the learning loop, with a small MNIST and models that it may write."""
    for path in (compose.folder / "models").rglob("*"):
        path.chmod(0o777 if path.is_dir() else 0o666)
    (compose.folder / "models").chmod(0o777)
    mnist = write_base(tmp_path_factory.mktemp("mnist") / "mnist.npz")
    compose.variables |= {"MNIST_PATH": str(mnist), "PIPELINE_HEARTBEAT_SECONDS": "5"}
    compose.run("--profile", "loop", "up", "-d", "--build", "--wait", "pipeline")
    return compose


def read_rows(port: int | str, password: str, query: str) -> list[tuple[object, ...]]:
    """Return the rows of a query by the owner role at a port of this machine."""
    connection = psycopg2.connect(
        host="127.0.0.1", port=port, user="postgres", password=password, dbname="mlopsdb"
    )
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(query)
            return cursor.fetchall()
    finally:
        connection.close()


def inspect_object(*arguments: str) -> dict[str, Any]:
    """Return the one object that a docker command describes."""
    [inspect_object] = json.loads(
        subprocess.run([DOCKER, *arguments], check=True, capture_output=True).stdout
    )
    return dict(inspect_object)


def wait_until(
    condition: Callable[[], bool],
    seconds: float = TIMEOUT_SECONDS,
    pause_seconds: float = PAUSE_SECONDS,
) -> None:
    """Wait until a condition is true. An unavailable service makes it false."""
    deadline = time.monotonic() + seconds
    while True:
        try:
            if condition():
                return
        except (requests.RequestException, psycopg2.OperationalError):
            pass
        assert time.monotonic() < deadline
        time.sleep(pause_seconds)
