"""A stack that others may reach.

Not with passwords that everybody knows, and with secrets that stand in files alone.
"""

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

EVERYWHERE = "0.0.0.0"  # noqa: S104  # which is refused
SECRET_FILES = "docker-compose.yml:docker-compose.secrets.yml"


@pytest.fixture(scope="module")
def secrets(project: Path) -> dict[str, str]:
    """Make the folder of secrets as `make secrets` does, and return what is in it."""
    subprocess.run([sys.executable, "-m", "local.passwords"], cwd=project, check=True)
    return {file.name: file.read_text().strip() for file in (project / "secrets").iterdir()}


@pytest.fixture(scope="module")
def own(project: Path, secrets: dict[str, str]) -> Iterator[Compose]:
    """Start the stack with its secrets in files."""
    stack = Compose(project, COMPOSE_FILE=SECRET_FILES)
    stack.password = secrets["postgres_password"]
    try:
        stack.run("up", "-d", "--build", "--wait")
        yield stack
    finally:
        stack.end()


def test_nothing_is_published_beyond_loopback_with_a_default_password(project: Path) -> None:
    stack = Compose(
        project, BIND_ADDRESS=EVERYWHERE, POSTGRES_PASSWORD="changed", MLOPS_APP_PASSWORD="changed"
    )
    try:
        assert stack.call("up", "-d", "--build").returncode != 0
        assert "is the password in MLOPS_READ_PASSWORD." in stack.run("logs", "guard")
        assert stack.run("ps", "-q").split() == []
    finally:
        stack.end()


def test_with_passwords_of_ones_own_no_default_is_taken(
    own: Compose, secrets: dict[str, str]
) -> None:
    assert requests.get(f"{own.api_url}/readyz", timeout=10).json()["dependencies"]["database"] == {
        "status": "ok"
    }
    assert own.rows("SELECT count(*) > 0 FROM experiments") == [(True,)]
    with pytest.raises(psycopg2.OperationalError, match="authentication failed"):
        psycopg2.connect(
            host="localhost",
            port=own.ports["DB_PORT"],
            user="mlops_read",
            password="pass123",
            dbname="mlopsdb",
        )
    assert len(set(secrets.values())) == len(secrets)


def test_predictions_need_a_key_then_and_the_dashboard_has_one(
    own: Compose, secrets: dict[str, str], digits: dict[str, bytes]
) -> None:
    experiment = min(folder.name for folder in (ROOT / "models").iterdir() if folder.is_dir())
    url = f"{own.api_url}/inference?experiment_name={experiment}"
    statuses = [
        requests.post(
            url, files={"image_blob": io.BytesIO(digits["7"])}, headers=headers, timeout=10
        ).status_code
        for headers in ({}, {"X-API-Key": secrets["api_key"]})
    ]
    assert statuses == [401, 200]
    asked = (
        "import os, sys; from web.settings import Settings; from web.data.api_client import ApiClient;"
        "settings = Settings.from_environment(os.environ); client = ApiClient(settings.api_url, key=settings.api_key);"
        f"[outcome] = client.predict([sys.stdin.buffer.read()], [{experiment!r}]); print(outcome)"
    )
    command = [DOCKER, "exec", "-i", own.inspect("web")["Id"], "python", "-c", asked]
    said = subprocess.run(
        command, input=digits["7"], capture_output=True, check=True
    ).stdout.decode()
    assert "ApiProblemError" not in said
    assert experiment in said


@pytest.mark.parametrize("service", ["guard", "db", "db-setup", "inference", "web"])
def test_no_secret_stands_in_what_the_engine_tells_of_a_container(
    own: Compose, secrets: dict[str, str], service: str
) -> None:
    told = json.dumps(own.inspect(service))
    assert [name for name, secret in secrets.items() if secret in told] == []
