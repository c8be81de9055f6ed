"""Reachable stack: no default passwords, and secrets only in files."""

import io
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg2
import pytest
import requests

from tests.containers.conftest import DOCKER, ROOT, Compose

ALL_INTERFACES = "0.0.0.0"  # noqa: S104  # rejected with default passwords
SECRET_FILES = "docker-compose.yml:docker-compose.secrets.yml"


@pytest.fixture(scope="module")
def secrets(project: Path) -> dict[str, str]:
    """Create the secrets like `make secrets` and return them by file name."""
    subprocess.run([sys.executable, "-m", "local.passwords"], cwd=project, check=True)
    return {file.name: file.read_text().strip() for file in (project / "secrets").iterdir()}


@pytest.fixture(scope="module")
def secure_stack(project: Path, secrets: dict[str, str]) -> Iterator[Compose]:
    """Start the stack with secrets in files."""
    stack = Compose(project, COMPOSE_FILE=SECRET_FILES)
    stack.password = secrets["postgres_password"]
    try:
        stack.run("--profile", "loop", "up", "-d", "--build", "--wait")
        yield stack
    finally:
        stack.tear_down()


def test_up_rejects_default_password_beyond_loopback(project: Path) -> None:
    stack = Compose(
        project,
        BIND_ADDRESS=ALL_INTERFACES,
        POSTGRES_PASSWORD="changed",
        MLOPS_APP_PASSWORD="changed",
    )
    try:
        assert stack.call("up", "-d", "--build").returncode != 0
        assert "are the public default: MLOPS_READ_PASSWORD." in stack.run("logs", "guard")
        assert stack.run("ps", "-q").split() == []
    finally:
        stack.tear_down()


def test_secret_files_replace_default_passwords(
    secure_stack: Compose, secrets: dict[str, str]
) -> None:
    assert requests.get(f"{secure_stack.api_url}/readyz", timeout=10).json()["dependencies"][
        "database"
    ] == {"status": "ok"}
    assert secure_stack.rows("SELECT count(*) > 0 FROM experiments") == [(True,)]
    with pytest.raises(psycopg2.OperationalError, match="authentication failed"):
        psycopg2.connect(
            host="localhost",
            port=secure_stack.ports["DB_PORT"],
            user="mlops_read",
            password="pass123",
            dbname="mlopsdb",
        )
    assert len(set(secrets.values())) == len(secrets)


def test_predictions_need_an_api_key_and_dashboard_has_one(
    secure_stack: Compose, secrets: dict[str, str], digits: dict[str, bytes]
) -> None:
    experiment = min(folder.name for folder in (ROOT / "models").iterdir() if folder.is_dir())
    url = f"{secure_stack.api_url}/inference?experiment_name={experiment}"
    statuses = [
        requests.post(
            url, files={"image_blob": io.BytesIO(digits["7"])}, headers=headers, timeout=10
        ).status_code
        for headers in ({}, {"X-API-Key": secrets["api_key"]})
    ]
    assert statuses == [401, 200]
    script = (
        "import os, sys;"
        "from web.settings import Settings;"
        "from web.data.api_client import ApiClient;"
        "settings = Settings.from_environment(os.environ);"
        "client = ApiClient(settings.api_url, key=settings.api_key);"
        f"[outcome] = client.predict([sys.stdin.buffer.read()], [{experiment!r}]); print(outcome)"
    )
    command = [DOCKER, "exec", "-i", secure_stack.inspect("web")["Id"], "python", "-c", script]
    output = subprocess.run(
        command, input=digits["7"], capture_output=True, check=True
    ).stdout.decode()
    assert "ApiProblemError" not in output
    assert experiment in output


@pytest.mark.parametrize("service", ["guard", "db", "db-setup", "inference", "web", "pipeline"])
def test_inspect_output_contains_no_secret(
    secure_stack: Compose, secrets: dict[str, str], service: str
) -> None:
    description = json.dumps(secure_stack.inspect(service))
    assert [name for name, secret in secrets.items() if secret in description] == []
