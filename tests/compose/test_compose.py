"""The compose stack, built from a copy of the project, started, used and changed. Needs a Docker engine; `make test-compose`."""

import hashlib
import io
import json
import os
import re
import shutil
import socket
import subprocess
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import unquote, urlsplit

import numpy as np
import psycopg2
import pytest
import requests

from inference.image import read_digit
from inference.models import ModelDirectory

ROOT = Path(__file__).parent.parent.parent
BUILD_AND_START_SECONDS = 1500
PATIENCE_SECONDS = 60

pytestmark = pytest.mark.timeout(BUILD_AND_START_SECONDS)


class Compose:
    """The stack of one copy of the project, under a project name and on ports of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.ports = {name: str(_free_port()) for name in ("WEB_PORT", "API_PORT", "DB_PORT", "PGADMIN_PORT")}
        self._command = ["docker", "compose", "-p", f"test-{uuid.uuid4().hex[:8]}"]
        self.api_url = f"http://localhost:{self.ports['API_PORT']}/api/v1.0"
        self.web_url = f"http://localhost:{self.ports['WEB_PORT']}"

    def run(self, *arguments: str, timeout: float = BUILD_AND_START_SECONDS) -> str:
        done = subprocess.run(
            [*self._command, *arguments], cwd=self.folder, env={**os.environ, **self.ports}, timeout=timeout, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout[-5000:]
        return done.stdout

    def rows(self, query: str) -> list[tuple[object, ...]]:
        connection = psycopg2.connect(f"postgresql://postgres:pass123@localhost:{self.ports['DB_PORT']}/mlopsdb")
        try:
            with connection, connection.cursor() as cursor:
                cursor.execute(query)
                return cursor.fetchall()
        finally:
            connection.close()


@pytest.fixture(scope="module")
def compose(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Compose]:
    folder = tmp_path_factory.mktemp("compose") / "project"
    shutil.copytree(ROOT, folder, ignore=shutil.ignore_patterns(".git", ".venv", ".local", "*_cache", "__pycache__"))
    stack = Compose(folder)
    try:
        stack.run("up", "-d", "--build", "--wait")
        yield stack
    finally:
        stack.run("--profile", "*", "down", "--volumes", "--remove-orphans", "--rmi", "local")


@pytest.fixture(scope="module")
def pgadmin_url(compose: Compose) -> str:
    compose.run("--profile", "pgadmin", "up", "-d", "--build", "--wait", "pgadmin")
    return f"http://localhost:{compose.ports['PGADMIN_PORT']}"


def test_every_experiment_reads_digits_as_it_does_in_process(compose: Compose, digits: dict[str, bytes]) -> None:
    models = ModelDirectory(ROOT / "models", compose.folder / "compiled", memory_bytes=2**28)
    models.load()
    models.close()  # nothing changes in it
    assert models.all()
    for model in models.all():
        for digit in digits.values():
            url = f"{compose.api_url}/inference?experiment_name={model.name}"
            answer = requests.post(url, files={"image_blob": io.BytesIO(digit)}, timeout=10).json()["class"]
            _, network = models.ready(model.name)
            assert answer == model.classes[int(network.probabilities(read_digit(digit)[np.newaxis]).argmax())]


def test_everything_is_ready_and_the_dashboard_answers(compose: Compose) -> None:
    ready = requests.get(f"{compose.api_url}/readyz", timeout=10).json()
    assert (ready["status"], ready["dependencies"]["database"]) == ("ready", {"status": "ok"})
    assert requests.get(f"{compose.web_url}/_stcore/health", timeout=10).text == "ok"


def test_a_prediction_reaches_the_database_and_its_original_the_volume(compose: Compose, digits: dict[str, bytes]) -> None:
    digit = next(iter(digits.values()))
    experiment = min(folder.name for folder in (ROOT / "models").iterdir() if folder.is_dir())
    url = f"{compose.api_url}/inference?experiment_name={experiment}"
    answer = requests.post(url, files={"image_blob": io.BytesIO(digit)}, timeout=10)
    assert answer.status_code == 200
    request = answer.headers["X-Request-ID"]
    query = (
        "SELECT original_url FROM prediction_events JOIN predictions ON predictions.id = prediction_id"
        f" JOIN images ON images.id = image_id WHERE request_id = '{request}' AND original_url IS NOT NULL"
    )
    _until(lambda: len(compose.rows(query)) == 1)
    [(original,)] = compose.rows(query)
    path = unquote(urlsplit(str(original)).path)
    assert compose.run("exec", "-T", "inference", "sha256sum", path).split()[0] == hashlib.sha256(digit).hexdigest()


def test_a_changed_data_csv_is_picked_up_by_the_next_up(compose: Compose) -> None:
    before = compose.rows("SELECT count(*) FROM experiments WHERE source_file = 'data.csv'")[0][0]
    csv = compose.folder / "data.csv"
    first_row = csv.read_text().splitlines()[1]
    csv.write_text(csv.read_text() + first_row.replace("mnist_experiment_", "added_experiment_", 1) + "\n")
    compose.run("up", "-d", "--wait")
    assert before == len(csv.read_text().splitlines()) - 2
    assert compose.rows("SELECT count(*) FROM experiments WHERE name LIKE 'added%'") == [(1,)]


def test_a_service_that_dies_comes_back_by_itself(compose: Compose) -> None:
    die = "import os; [os.kill(int(p), 9) for p in os.listdir('/proc') if p.isdigit() and p not in ('1', str(os.getpid()))]"
    subprocess.run(
        [*compose._command, "exec", "-T", "inference", "python", "-c", die],
        cwd=compose.folder, env={**os.environ, **compose.ports}, check=False, capture_output=True,
    )  # fmt: skip
    container = compose.run("ps", "-q", "inference").strip()
    restarts = ["docker", "inspect", "-f", "{{.RestartCount}}", container]
    _until(lambda: subprocess.run(restarts, check=True, capture_output=True, text=True).stdout.strip() == "1")
    _until(lambda: requests.get(f"{compose.api_url}/readyz", timeout=5).status_code == 200)


def test_pgadmin_connects_as_the_reading_role_and_asks_nobody_for_a_password(compose: Compose, pgadmin_url: str) -> None:
    with requests.Session() as session:
        page = session.get(pgadmin_url, timeout=PATIENCE_SECONDS)
        assert (page.status_code, "/login" in page.url) == (200, False)
        script = session.get(f"{pgadmin_url}/browser/js/utils.js", timeout=PATIENCE_SECONDS).text
        header, token = re.findall(r"pgAdmin\['csrf_token(?:_header)?'\] = '([^']+)'", script)
        session.headers[header] = token
        [server] = session.get(f"{pgadmin_url}/browser/server/obj/1/", timeout=PATIENCE_SECONDS).json()
        assert (server["name"], server["username"]) == ("ml-ops-starter", "mlops_read")
        connect = f"{pgadmin_url}/browser/server/connect/{server['gid']}/{server['id']}"
        answer = session.post(connect, timeout=PATIENCE_SECONDS).json()
    assert (answer["success"], answer["data"]["connected"]) == (1, True)
    users = "SELECT DISTINCT usename::text FROM pg_stat_activity WHERE application_name LIKE 'pgAdmin%'"
    assert compose.rows(users) == [("mlops_read",)]


def test_pgadmin_answers_nobody_but_this_machine(compose: Compose, pgadmin_url: str) -> None:
    foreign = {"Host": "pgadmin.example"}
    assert requests.get(f"{pgadmin_url}/browser/", headers=foreign, timeout=PATIENCE_SECONDS).status_code == 403
    reach = "import socket; socket.create_connection(('pgadmin', 5050), timeout=3)"
    for service in ("inference", "web"):
        with pytest.raises(AssertionError, match="gaierror"):
            compose.run("exec", "-T", service, "python", "-c", reach)


def test_only_loopback_ports_are_published_and_no_service_is_root(compose: Compose) -> None:
    containers = [json.loads(line) for line in compose.run("ps", "--format", "json").splitlines() if line.startswith("{")]
    published = {port["URL"] for container in containers for port in container["Publishers"] if port["PublishedPort"]}
    assert published == {"127.0.0.1"}
    for service in ("inference", "web"):
        assert compose.run("exec", "-T", service, "id", "-u").strip() == "10001"


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def _until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            if holds():
                return
        except requests.RequestException:
            pass
        assert time.monotonic() < deadline
        time.sleep(0.2)
