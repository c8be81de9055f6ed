"""Large uploads and streams against a running service: memory, other requests, and its end."""

import hashlib
import itertools
import os
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import psycopg2
import pytest
import requests

from local import ports
from tests.conftest import digit_png

pytestmark = pytest.mark.slow

START_SECONDS = 60
PIECE, PIECES = 2**20, 255
MAX_GROWTH_BYTES = 64 * 2**20
MAX_PREDICTION_SECONDS = 1.0
MAX_STREAMS = 16
HEAD = b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.zip"\r\n\r\n'
FORM = {"Content-Type": "multipart/form-data; boundary=x"}


class Service:
    """A running service: its address, its process and the folder of its images."""

    def __init__(self, url: str, process: psutil.Process, images: Path) -> None:
        self.url, self.process, self.images = url, process, images

    def memory(self) -> int:
        return int(self.process.memory_info().rss)


@pytest.fixture
def service(service_database: dict[str, str], tmp_path: Path) -> Iterator[Service]:
    assert service_database
    port = ports.find_free()
    variables = {
        "API_PORT": str(port),
        "API_WORKERS": "1",
        "COMPILED_DIR": str(tmp_path / "compiled"),
        "JOURNAL_DIR": str(tmp_path / "journal"),
        "IMAGES_URL": str(tmp_path / "images"),
    }
    with (
        (tmp_path / "log").open("w") as log,
        subprocess.Popen(
            [sys.executable, "-m", "inference"], env={**os.environ, **variables}, stderr=log
        ) as process,
    ):
        try:
            url = f"http://127.0.0.1:{port}/api/v1.0"
            deadline = time.monotonic() + START_SECONDS
            while not _is_ready(url):
                assert time.monotonic() < deadline, (tmp_path / "log").read_text()
                time.sleep(0.1)
            yield Service(url, psutil.Process(process.pid), tmp_path / "images")
        finally:
            process.terminate()


def _is_ready(url: str) -> bool:
    try:
        return requests.get(f"{url}/readyz", timeout=5).ok
    except requests.ConnectionError:
        return False


@pytest.fixture
def owner(service_database: dict[str, str]) -> Iterator[Any]:
    """The owner's connection to the database of the service."""
    connection = psycopg2.connect(
        host=service_database["PGHOST"],
        port=service_database["PGPORT"],
        user=service_database["PGUSER"],
        password=service_database["PGPASSWORD"],
        dbname=service_database["PGDATABASE"],
    )
    connection.autocommit = True
    yield connection
    connection.close()


class Watch:
    """Predicts and measures the memory of a service in threads, while a test does something."""

    def __init__(self, service: Service) -> None:
        self._service = service
        self._before = service.memory()
        self._ended = threading.Event()
        self._threads = [threading.Thread(target=run) for run in (self._measure, self._predict)]
        self.growth = 0
        self.seconds: list[float] = []
        self.statuses: set[int] = set()

    def __enter__(self) -> "Watch":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        for thread in self._threads:
            thread.join()

    def _measure(self) -> None:
        while not self._ended.wait(0.02):
            self.growth = max(self.growth, self._service.memory() - self._before)

    def _predict(self) -> None:
        url = f"{self._service.url}/inference?experiment_name=champion"
        with requests.Session() as session:
            while not self._ended.wait(0.02):
                started = time.perf_counter()
                response = session.post(url, files={"image_blob": digit_png("7")}, timeout=20)
                self.seconds.append(time.perf_counter() - started)
                self.statuses.add(response.status_code)


def _post(service: Service, query: str, body: Iterator[bytes], headers: dict[str, str]) -> Any:
    """Return the response, or None where the connection was closed before the end of the body."""
    try:
        return requests.post(
            f"{service.url}/load_new_data{query}", data=body, headers=headers, timeout=110
        )
    except requests.ConnectionError:
        return None


def test_upload_of_255_mb_is_never_in_memory(service: Service) -> None:
    piece = os.urandom(PIECE)
    digest = hashlib.sha256()
    for _ in range(PIECES):
        digest.update(piece)
    body = itertools.chain([HEAD], itertools.repeat(piece, PIECES), [b"\r\n--x--\r\n"])
    with Watch(service) as watch:
        response = _post(service, "?task=mnist", body, FORM)
    assert (response.status_code, response.json()["digest"]) == (202, digest.hexdigest())
    name = digest.hexdigest()
    assert (service.images / name[:2] / f"{name}.bin").stat().st_size == PIECE * PIECES
    assert watch.growth < MAX_GROWTH_BYTES
    assert watch.statuses == {200}
    assert sorted(watch.seconds)[len(watch.seconds) * 9 // 10] < MAX_PREDICTION_SECONDS


@pytest.mark.parametrize(
    ("query", "headers", "status"),
    [
        ("?task=mnist", FORM, 413),
        ("?task=mnist", {"Content-Type": "application/zip"}, 415),
        ("", FORM, 400),
    ],
)
def test_refused_body_takes_no_memory(
    service: Service, query: str, headers: dict[str, str], status: int
) -> None:
    body = itertools.chain([HEAD], itertools.repeat(bytes(PIECE), PIECES + 10))
    with Watch(service) as watch:
        response = _post(service, query, body, headers)
    assert response is None or response.status_code == status
    assert watch.growth < MAX_GROWTH_BYTES
    assert watch.statuses <= {200}, "an early refusal leaves no time for a prediction"
    assert not list(service.images.rglob("*.bin"))


def test_streams_leave_connexion_free_and_end_with_the_service(
    service: Service, owner: Any
) -> None:
    with owner.cursor() as cursor:
        cursor.execute(
            "INSERT INTO pipeline_runs (task, experiment_name) VALUES ('mnist', 'a') RETURNING id"
        )
        [run] = cursor.fetchone()
    results: list[tuple[int, int]] = []

    def follow() -> None:
        response = requests.get(
            f"{service.url}/runs/{run}",
            headers={"Accept": "application/x-ndjson"},
            timeout=60,
            stream=True,
        )
        results.append((response.status_code, len(list(response.iter_lines()))))

    threads = [threading.Thread(target=follow) for _ in range(MAX_STREAMS)]
    for thread in threads:
        thread.start()
    time.sleep(2)
    assert requests.get(f"{service.url}/models", timeout=5).ok
    with owner.cursor() as cursor:
        cursor.execute("UPDATE pipeline_runs SET worker = 'w' WHERE id = %s", [run])
    time.sleep(2)
    started = time.monotonic()
    service.process.terminate()
    for thread in threads:
        thread.join()
    assert results == [(200, 2)] * MAX_STREAMS
    assert time.monotonic() - started < 5
