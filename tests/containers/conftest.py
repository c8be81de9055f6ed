"""One compose stack for all tests of this folder, built from a copy of the project.

Needs a Docker engine.
"""

import json
import os
import shutil
import socket
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg2
import pytest
import requests

ROOT = Path(__file__).parent.parent.parent
BUILD_AND_START_SECONDS = 1500
PATIENCE_SECONDS = 60
DOCKER = shutil.which("docker") or "docker"


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.timeout(BUILD_AND_START_SECONDS))


class Compose:
    """A stack of a copy of the project, under a project name and on ports of its own."""

    def __init__(self, folder: Path, **variables: str) -> None:
        self.folder = folder
        self.ports = {
            name: str(_free_port()) for name in ("WEB_PORT", "API_PORT", "DB_PORT", "PGADMIN_PORT")
        }
        self.variables = variables
        self.name = f"test-{uuid.uuid4().hex[:8]}"
        self.api_url = f"http://localhost:{self.ports['API_PORT']}/api/v1.0"
        self.web_url = f"http://localhost:{self.ports['WEB_PORT']}"
        self.password = "pass123"

    def call(self, *arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
        """Run docker compose and return what it said and how it ended."""
        return subprocess.run(
            [DOCKER, "compose", "-p", self.name, *arguments], cwd=self.folder, text=True, check=False,
            env={**os.environ, **self.ports, **self.variables, **variables}, timeout=BUILD_AND_START_SECONDS,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        )  # fmt: skip

    def run(self, *arguments: str, **variables: str) -> str:
        """Run docker compose, which succeeds, and return what it said."""
        done = self.call(*arguments, **variables)
        assert done.returncode == 0, done.stdout[-5000:]
        return done.stdout

    def inspect(self, service: str) -> dict[str, Any]:
        """Return what the engine knows of a service's container."""
        container = self.run("ps", "-a", "-q", service).split()[-1]
        return described("inspect", container)

    def rows(self, query: str) -> list[tuple[object, ...]]:
        """Return the rows of a query, asked as the owner from outside."""
        connection = psycopg2.connect(
            host="localhost",
            port=self.ports["DB_PORT"],
            user="postgres",
            password=self.password,
            dbname="mlopsdb",
        )
        try:
            with connection, connection.cursor() as cursor:
                cursor.execute(query)
                return cursor.fetchall()
        finally:
            connection.close()

    def end(self) -> None:
        """Take down everything with all that it kept."""
        self.run("--profile", "*", "down", "--volumes", "--remove-orphans", "--rmi", "local")


@pytest.fixture(scope="session")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a copy of the project as a clone has it."""
    folder = tmp_path_factory.mktemp("compose") / "project"
    left_out = shutil.ignore_patterns(
        ".git", ".venv", ".local", ".env", "secrets", "*_cache", "__pycache__"
    )
    shutil.copytree(ROOT, folder, ignore=left_out)
    return folder


@pytest.fixture(scope="session")
def compose(project: Path) -> Iterator[Compose]:
    """Start the stack as README says."""
    stack = Compose(project)
    try:
        stack.run("up", "-d", "--build", "--wait")
        yield stack
    finally:
        stack.end()


@pytest.fixture(scope="session")
def pgadmin_url(compose: Compose) -> str:
    compose.run("--profile", "pgadmin", "up", "-d", "--build", "--wait", "pgadmin")
    return f"http://localhost:{compose.ports['PGADMIN_PORT']}"


def described(*arguments: str) -> dict[str, Any]:
    """Return the one thing that a command of docker describes."""
    [described] = json.loads(
        subprocess.run([DOCKER, *arguments], check=True, capture_output=True).stdout
    )
    return dict(described)


def until(holds: Callable[[], bool]) -> None:
    """Wait until something holds; a service that does not answer is one for which it does not."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            if holds():
                return
        except (requests.RequestException, psycopg2.OperationalError):
            pass
        assert time.monotonic() < deadline
        time.sleep(0.2)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port
