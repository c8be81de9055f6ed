"""No acknowledged prediction is lost when Postgres or the service is killed or frozen.

The service runs under load as in production. Every response that a client got is looked up in the
database.
"""

import io
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import psycopg2
import pytest
import requests
from PIL import Image

from db.initialize import set_up
from db.settings import from_environment
from inference.prediction_log.backlog import pending_bytes
from local import ports
from local import settings as local_settings
from local.postgres import Postgres
from tests.conftest import digit_png
from tests.support.repetitions import short_or_full

PATIENCE_SECONDS = 60
SMALL = "mnist_experiment_1__softmax_regression"
PREDICTIONS = short_or_full(8_000, 20_000)
CLIENTS = 4
FROZEN_SECONDS = 30


class Stack:
    """A Postgres and a service with two workers. Both can be killed and restarted."""

    def __init__(self, folder: Path, models_dir: Path, **settings: str) -> None:
        addresses = {"LOCAL_DIR": str(folder / "postgres"), "DB_PORT": str(ports.find_free())}
        self.postgres = Postgres(
            local_settings.read(
                {
                    **addresses,
                    "API_PORT": str(ports.find_free()),
                    "WEB_PORT": str(ports.find_free()),
                }
            )
        )
        owner = self.postgres.settings
        self.database = owner.libpq_variables("postgres", owner.owner_password)
        self.journal = folder / "journal"
        self.log = folder / "inference.log"
        self.port = owner.api_port
        self.environment = {
            **os.environ,
            **owner.libpq_variables("mlops_app", owner.app_password),
            "API_PORT": str(self.port),
            "API_WORKERS": "2",
            "MODELS_DIR": str(models_dir),
            "COMPILED_DIR": str(folder / "compiled"),
            "JOURNAL_DIR": str(self.journal),
            "IMAGES_URL": str(folder / "images"),
            **settings,
        }
        self.service: subprocess.Popen[bytes] | None = None

    def start_database(self) -> None:
        self.postgres.open()
        with pytest.MonkeyPatch.context() as patch:
            for name, value in {**self.database, "DATA_CSV": "data.csv"}.items():
                patch.setenv(name, value)
            set_up(from_environment(os.environ))

    def start_service(self) -> None:
        with self.log.open("ab") as log:
            self.service = subprocess.Popen(
                [sys.executable, "-m", "inference"],
                env=self.environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        eventually(self.is_ready)

    def is_ready(self) -> bool:
        # A process of the killed service may still hold the port.
        if self.service is not None and self.service.poll() is not None:
            self.start_service()
        try:
            return requests.get(self.url("readyz"), timeout=5).status_code == 200
        except requests.RequestException:
            return False

    def kill_service(self, *, whole_group: bool) -> None:
        assert self.service is not None
        (os.killpg if whole_group else os.kill)(self.service.pid, signal.SIGKILL)
        self.service.wait()

    def stop(self) -> None:
        if self.service is not None and self.service.poll() is None:
            self.service.terminate()
            self.service.wait(timeout=20)
        self.postgres.stop(timeout_seconds=5)

    def freeze_database(self, seconds: float) -> None:
        server = psutil.Process(
            int(
                (self.postgres.settings.directory / "pgdata" / "postmaster.pid")
                .read_text()
                .split()[0]
            )
        )
        family = [server, *server.children(recursive=True)]
        for process in family:
            process.suspend()
        time.sleep(seconds)
        for process in family:
            process.resume()

    def url(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}/api/v1.0/{path}"

    def infer(self, image: bytes, name: str = SMALL) -> requests.Response:
        return requests.post(
            self.url("inference"),
            params={"experiment_name": name},
            files={"image_blob": image},
            timeout=30,
        )

    def rows(self, query: str, *arguments: object) -> list[Any]:
        settings = self.postgres.settings
        connection = psycopg2.connect(settings.dsn)
        try:
            with connection, connection.cursor() as cursor:
                cursor.execute(query, arguments)
                return cursor.fetchall() if cursor.description else []
        finally:
            connection.close()

    def until_shipped(self) -> None:
        eventually(lambda: pending_bytes(self.journal) == 0)


def eventually(condition: Callable[[], object], patience_seconds: float = PATIENCE_SECONDS) -> None:
    deadline = time.monotonic() + patience_seconds
    while not condition():
        assert time.monotonic() < deadline, "timed out"
        time.sleep(0.1)


@pytest.fixture
def stack(tmp_path: Path, models_dir: Path) -> Iterator[Stack]:
    stack = Stack(tmp_path, models_dir)
    try:
        yield stack
    finally:
        stack.stop()


def noise(number: int) -> bytes:
    """Return the PNG of an image that is unique for its number."""
    buffer = io.BytesIO()
    pixels = np.zeros((28, 28), np.uint8)
    pixels[5:23, 5:23] = np.random.default_rng(number).integers(0, 256, (18, 18))
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


@pytest.mark.slow
@pytest.mark.timeout(600)
def test_predictions_are_stored_once_after_all_failures(  # noqa: PLR0915  # one scenario
    stack: Stack, capsys: pytest.CaptureFixture[str]
) -> None:
    stack.start_database()
    stack.start_service()
    responses: dict[str, str] = {}  # prediction id by request id
    images = [noise(number) for number in range(2_000)]
    numbers = iter(range(PREDICTIONS))
    lock = threading.Lock()
    broken = 0

    def client() -> None:
        nonlocal broken
        session = requests.Session()
        while True:
            with lock:
                number = next(numbers, None)
            if number is None:
                return
            while True:
                try:
                    form = {
                        "params": {"experiment_name": SMALL},
                        "files": {"image_blob": images[number % len(images)]},
                    }
                    response = session.post(
                        stack.url("inference"),
                        timeout=30,
                        **form,  # type: ignore[arg-type]
                    )
                    response.raise_for_status()
                    responses[response.headers["X-Request-Id"]] = response.json()["prediction_id"]
                    break
                except requests.RequestException:  # the service is down; retry as a new request
                    broken += 1
                    session = requests.Session()
                    time.sleep(0.2)

    with ThreadPoolExecutor(CLIENTS) as clients:
        running = [clients.submit(client) for _ in range(CLIENTS)]

        def after(share: float) -> None:
            eventually(
                lambda: (
                    len(responses) >= share * PREDICTIONS
                    or all(future.done() for future in running)
                ),
                300,
            )

        for number in range(5):
            after(0.1 + 0.15 * number)
            stack.postgres.kill()
            if number in (1, 3):  # the service, too, while Postgres is down
                stack.kill_service(whole_group=number == 1)
                stack.start_service()
            stack.postgres.open()
        after(0.8)
        stack.freeze_database(FROZEN_SECONDS)
        for future in running:
            future.result()
    finished = time.monotonic()
    stack.until_shipped()
    drained_seconds = time.monotonic() - finished
    stored = stack.rows("SELECT request_id, prediction_id::text FROM prediction_events")
    missing = set(responses.items()) - set(stored)
    twice = len(stored) - len(set(stored))
    with capsys.disabled():
        print(
            f"\n{len(responses)} responses, {broken} broken, {len(missing)} missing,"
            f" {twice} twice, drained {drained_seconds:.1f} s"
        )
    assert len(responses) == PREDICTIONS
    assert missing == set()
    assert len(stored) == len(set(stored))
    [[events]] = stack.rows("SELECT sum(events) FROM predictions")
    assert events == len(stored)
    eventually(
        lambda: (
            stack.rows("SELECT count(*), count(original_url) FROM images")
            == [(len(images), len(images))]
        )
    )


@pytest.mark.slow
def test_same_image_sent_concurrently_is_one_prediction(
    stack: Stack,
) -> None:
    stack.start_database()
    stack.start_service()
    with ThreadPoolExecutor(20) as clients:
        ids = {
            response.json()["prediction_id"]
            for response in clients.map(stack.infer, [digit_png("7")] * 100)
        }
    stack.until_shipped()
    assert stack.rows("SELECT id::text, events FROM predictions") == [(ids.pop(), 100)]
    [[events, images]] = stack.rows(
        "SELECT (SELECT count(*) FROM prediction_events), (SELECT count(*) FROM images)"
    )
    assert (events, images, ids) == (100, 1, set())


def test_stored_predictions_equal_the_response(stack: Stack) -> None:
    stack.start_database()
    stack.start_service()
    files = [("images", digit_png(label, side)) for label in "0123456789" for side in (28, 200)]
    response = requests.post(
        stack.url("predictions"), files=files, headers={"User-Agent": "notebook/1 (x)"}, timeout=30
    )
    stack.until_shipped()
    stored = stack.rows(
        "SELECT prediction_id::text, experiment_name, version, image_digest, label, confidence,"
        " probabilities, model_digest, width, source FROM prediction_log l"
        " JOIN images i ON i.digest = l.image_digest JOIN prediction_events e USING (prediction_id)"
    )
    expected = {
        answer["prediction_id"]: (
            answer["experiment_name"],
            answer["version"],
            entry["image_digest"],
            answer["class"],
            pytest.approx(answer["confidence"], abs=1e-6),
            pytest.approx(answer["probabilities"], abs=1e-6),
            answer["model_digest"],
            (28, 200)[entry["index"] % 2],
            "notebook/1",
        )
        for entry in response.json()["predictions"]
        for answer in entry["answers"]
    }
    assert {key: tuple(rest) for key, *rest in stored} == expected


@pytest.mark.slow
def test_originals_are_stored_until_their_retention_ends(tmp_path: Path, models_dir: Path) -> None:
    stack = Stack(tmp_path, models_dir, IMAGES_KEEP_DAYS=str(4 / 86_400))
    try:
        stack.start_database()
        stack.start_service()
        image = digit_png("3", 100)
        digest = stack.infer(image).json()["image_digest"]
        stored = tmp_path / "images" / digest[:2] / f"{digest}.png"
        eventually(stored.exists)
        assert stored.read_bytes() == image
        eventually(
            lambda: stack.rows(
                "SELECT 1 FROM images WHERE original_url IS NULL AND deleted_at IS NOT NULL"
            )
        )
        assert not stored.exists()
    finally:
        stack.stop()


@pytest.mark.slow
def test_full_log_without_postgres_refuses_predictions(tmp_path: Path, models_dir: Path) -> None:
    stack = Stack(tmp_path, models_dir, JOURNAL_BYTES="400000", PGPORT="1")
    try:
        stack.start_service()
        statuses = [stack.infer(noise(number)).status_code for number in range(400)]
        assert set(statuses[:50]) == {200}
        assert set(statuses[-50:]) == {503}
        refusal = stack.infer(noise(0))
        assert (refusal.headers["Retry-After"], refusal.json()["title"]) == (
            "5",
            "Prediction log full",
        )
        assert (
            requests.get(stack.url("readyz"), timeout=5).json()["dependencies"]["log"]["status"]
            == "full"
        )
    finally:
        stack.stop()


@pytest.mark.slow
def test_failing_storage_does_not_stop_predictions(tmp_path: Path, models_dir: Path) -> None:
    (tmp_path / "images").write_text("not a directory")
    stack = Stack(tmp_path, models_dir, JOURNAL_BYTES="400000")
    try:
        stack.start_database()
        stack.start_service()
        # In steps of 115 kB, because predictions that are faster than the shipper fill the log.
        for start in range(0, 500, 50):
            images = [noise(number) for number in range(start, start + 50)]
            assert {stack.infer(image).status_code for image in images} == {200}
            stack.until_shipped()
        assert stack.rows("SELECT count(*) FROM predictions") == [(500,)]
    finally:
        stack.stop()


@pytest.mark.slow
def test_killed_background_process_is_restarted(stack: Stack) -> None:
    stack.start_database()
    stack.start_service()
    assert stack.service is not None
    [background] = [
        child
        for child in psutil.Process(stack.service.pid).children()
        if "inference.background" in child.cmdline()
    ]
    background.kill()
    prediction = stack.infer(digit_png("5")).json()["prediction_id"]
    eventually(lambda: stack.rows("SELECT 1 FROM predictions WHERE id = %s", prediction))


@pytest.mark.slow
def test_unwritable_log_refuses_and_explains_in_readyz(tmp_path: Path, models_dir: Path) -> None:
    (tmp_path / "journal").write_text("not a directory")
    stack = Stack(tmp_path, models_dir, PGPORT="1")
    try:
        stack.start_service()
        assert stack.infer(digit_png("5")).status_code == 503
        log = requests.get(stack.url("readyz"), timeout=5).json()["dependencies"]["log"]
        assert (log["status"], "JOURNAL_DIR" in log["detail"]) == ("failing", True)
    finally:
        stack.stop()


@pytest.mark.slow
def test_full_log_that_drops_counts_dropped_predictions(tmp_path: Path, models_dir: Path) -> None:
    stack = Stack(tmp_path, models_dir, JOURNAL_BYTES="400000", JOURNAL_FULL="drop", PGPORT="1")
    try:
        stack.start_service()
        assert {stack.infer(noise(number)).status_code for number in range(400)} == {200}
        counted = next(
            float(line.split()[1])
            for line in requests.get(stack.url("metrics"), timeout=5).text.splitlines()
            if line.startswith("mlops_journal_dropped_total")
        )
        assert counted > 0
    finally:
        stack.stop()


@pytest.mark.slow
def test_removed_and_failed_versions_are_rows_with_state(stack: Stack, models_dir: Path) -> None:
    stack.start_database()
    stack.start_service()
    (models_dir / "broken").mkdir()
    (models_dir / "broken" / "card.json").write_text("{")
    (models_dir / SMALL).rename(models_dir.parent / "gone")
    states = (
        "SELECT experiment_name, status, reason IS NULL FROM model_versions"
        " WHERE experiment_name IN ('broken', %s) ORDER BY 1"
    )
    eventually(
        lambda: stack.rows(states, SMALL) == [("broken", "FAILED", False), (SMALL, "GONE", True)],
        15,
    )
