"""A running service with its tracking process."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import requests

from local import ports

START_SECONDS = 120


class TrackedService:
    """A running service: its addresses, and its processes."""

    def __init__(self, port: int, process: psutil.Process, key: str) -> None:
        self.root = f"http://127.0.0.1:{port}"
        self.url = f"{self.root}/api/v1.0"
        self.process = process
        self._headers = {"X-API-Key": key}

    def call(self, method: str, path: str, document: Any = None) -> Any:
        """Send a request to a path of the native API."""
        return requests.request(
            method, self.url + path, json=document, headers=self._headers, timeout=30
        )

    def tracking_process(self) -> psutil.Process | None:
        """Return the tracking process, None while there is none."""
        for child in self.process.children():
            try:
                if child.cmdline()[1:3] == ["-m", "tracking"]:
                    return child
            except psutil.Error:
                continue
        return None

    def wait_for_tracking(self) -> psutil.Process:
        """Wait until the tracking process answers, and return it."""
        deadline = time.monotonic() + START_SECONDS
        while self.call("GET", "/experiments/none/artifacts").status_code != 404:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        process = self.tracking_process()
        assert process is not None
        return process


@contextmanager
def run_service(folder: Path, *, key: str = "", **settings: str) -> Iterator[TrackedService]:
    """Run a service of two workers that tracks; libpq's variables name its database."""
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "models").mkdir(exist_ok=True)
    port = int(settings.get("API_PORT", ports.find_free()))
    variables = {
        "API_PORT": str(port),
        "API_WORKERS": "2",
        "MODELS_DIR": str(folder / "models"),
        "COMPILED_DIR": str(folder / "compiled"),
        "JOURNAL_DIR": str(folder / "journal"),
        "IMAGES_URL": str(folder / "images"),
        "TRACKING": "1",
        **settings,
    }
    log = folder / "log"
    with (
        log.open("w") as file,
        subprocess.Popen(
            [sys.executable, "-m", "inference"],
            env={**os.environ, **variables},
            stderr=file,
            stdout=file,
        ) as process,
    ):
        service = TrackedService(port, psutil.Process(process.pid), key)
        try:
            deadline = time.monotonic() + START_SECONDS
            while not _is_up(service):
                assert process.poll() is None, log.read_text()
                assert time.monotonic() < deadline, log.read_text()
                time.sleep(0.05)
            yield service
        finally:
            process.terminate()


def _is_up(service: TrackedService) -> bool:
    """Return whether a worker and the tracking process answer."""
    try:
        return bool(service.call("GET", "/experiments/none/artifacts").status_code == 404)
    except requests.ConnectionError:
        return False
