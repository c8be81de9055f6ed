"""The service with a registry: ready after the first mirror, and serving through an outage."""

import contextlib
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import requests

from inference.models.publish import publish
from inference.registry.bucket import Bucket
from local import ports
from tests.conftest import SHIPPED
from tests.support.registry import S3Server

START_SECONDS = 90
SERVED_SECONDS = 30  # on a busy machine; a poll is 0.2 s here
FIRST, SECOND = "first", "second"


class Service:
    """The service as a process, without Postgres."""

    def __init__(self, folder: Path, url: str) -> None:
        self._folder, self._port = folder, ports.find_free()
        self._environment = {
            **os.environ,
            "API_PORT": str(self._port),
            "API_WORKERS": "1",
            "MODELS_URL": url,
            "MODELS_POLL_SECONDS": "0.2",
            "MODELS_DIR": str(folder / "models"),
            "COMPILED_DIR": str(folder / "compiled"),
            "JOURNAL_DIR": str(folder / "journal"),
            "IMAGES_STORE": "0",
            "PGHOST": "127.0.0.1",
            "PGPORT": "1",
        }

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """Run the service."""
        with (self._folder / "log").open("a") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "inference"],
                env=self._environment,
                stdout=log,
                stderr=log,
            )
        try:
            wait_for(lambda: self.get("/healthz") is not None, START_SECONDS)
            yield
        finally:
            process.terminate()
            process.wait(30)

    def get(self, path: str) -> requests.Response | None:
        """Return the response to a GET, None while nothing listens."""
        with contextlib.suppress(requests.ConnectionError):
            return requests.get(f"http://127.0.0.1:{self._port}/api/v1.0{path}", timeout=10)
        return None

    def readiness(self) -> tuple[int, Any]:
        """Return the status of /readyz, and what it says about the registry."""
        response = self.get("/readyz")
        assert response is not None
        return response.status_code, response.json()["dependencies"]["registry"]

    def predicts(self, name: str, digit: bytes) -> bool:
        """Return whether a model answers."""
        response = requests.post(
            f"http://127.0.0.1:{self._port}/api/v1.0/inference",
            files={"image_blob": digit},
            params={"experiment_name": name},
            timeout=10,
        )
        return response.status_code == 200

    def log(self) -> str:
        return (self._folder / "log").read_text()


def wait_for(condition: Callable[[], object], seconds: float) -> float:
    """Wait until a condition holds, and return the seconds that it took."""
    started = time.monotonic()
    while not condition():
        assert time.monotonic() - started < seconds
        time.sleep(0.02)
    return time.monotonic() - started


@pytest.mark.timeout(300)
def test_service_serves_what_is_published_to_the_bucket(
    server: S3Server,
    bucket: str,
    tmp_path: Path,
    shipped_names: list[str],
    digits: dict[str, bytes],
) -> None:
    registry = Bucket(f"s3://{bucket}/models")
    source = SHIPPED / shipped_names[0]
    service = Service(tmp_path, registry.url)
    server.stop()
    with service.running():
        code, state = service.readiness()
        assert (code, state["status"]) == (503, "starting")
        wait_for(lambda: "does not answer" in service.readiness()[1]["detail"], SERVED_SECONDS)
        server.restart()
        publish(source, FIRST, None, tmp_path / "publisher", registry=registry)
        wait_for(lambda: service.readiness()[0] == 200, SERVED_SECONDS)
        assert service.predicts(FIRST, digits["3"])
        publish(source, SECOND, None, tmp_path / "publisher", registry=registry)
        served_seconds = wait_for(lambda: service.predicts(SECOND, digits["3"]), SERVED_SECONDS)
        assert served_seconds < 10
        server.put(bucket, "models/broken/1/card.json", (source / "card.json").read_bytes())
        wait_for(lambda: service.readiness()[1]["status"] == "partial", SERVED_SECONDS)
        code, state = service.readiness()
        assert (code, state["versions"], state["refused"]) == (200, 2, 1)
        assert "Refused broken@1: model.tflite is missing" in state["detail"]
        metrics = service.get("/metrics")
        assert metrics is not None
        assert 'mlops_registry_versions{state="mirrored"} 2.0' in metrics.text
        server.stop()
        try:
            wait_for(lambda: service.readiness()[1]["status"] == "failing", SERVED_SECONDS)
            assert service.readiness()[0] == 200
            answers = [service.predicts(FIRST, digits["3"]) for _ in range(100)]
            assert all(answers)
        except BaseException:
            server.restart()
            raise
    try:
        with service.running():  # with its cache, and without the bucket
            wait_for(lambda: service.readiness()[0] == 200, SERVED_SECONDS)
            assert service.predicts(SECOND, digits["3"])
    finally:
        server.restart()
    assert "Mirrored second@1 from the model registry" in service.log()
    assert "Traceback" not in service.log()
