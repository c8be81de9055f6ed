"""A running service for clients of the serving protocols, with keys, versions and an alias."""

from __future__ import annotations

import base64
import hashlib
import io
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import requests
from PIL import Image

from bench.harness.runtimes import LiteRt
from local import ports
from tests.conftest import SHIPPED, digit_png

KEY = "key-of-the-tests"
DIGITS, FILES = 64, 3
START_SECONDS = 60
MAX_REQUEST_BYTES = 2**20
SMALL, OTHER = "mnist_experiment_1__softmax_regression", "mnist_experiment_4__mlp_32"
LENET = "mnist_experiment_12__lenet5"
MODELS = {"digits/1": SMALL, "digits/2": OTHER, "lenet/1": LENET}
CHAMPION = {"experiment_name": "digits", "version": 1}  # not the newest, and not the best


class Service:
    """A running service: its address, and what it should answer."""

    def __init__(self, address: str, folder: Path, pixels: Any) -> None:
        self.address, self.url, self.pixels = address, f"http://{address}", pixels
        np.save(folder / "digits.npy", pixels)
        self.digits = folder / "digits.npy"
        self.netrc = folder / "netrc"
        self.netrc.write_text(f"machine 127.0.0.1 login tests password {KEY}\n")
        self.files = [base64.b64encode(png(image)).decode() for image in pixels[:FILES]]

    @cache  # noqa: B019  # lives as long as the module
    def expected(self, model: str, *, halved: bool = False) -> Any:
        """Return LiteRT's probabilities of all digits, float32 (n, classes)."""
        litert = LiteRt((SHIPPED / MODELS[model] / "model.tflite").read_bytes(), threads=1)
        return litert(self.pixels // 2 if halved else self.pixels)

    def description(self) -> dict[str, Any]:
        """Return the argument of the clients' programs."""
        return {
            "address": self.address,
            "key": KEY,
            "digits": str(self.digits),
            "files": self.files,
        }


def png(pixels: Any) -> bytes:
    """Return uint8 pixels (height, width) as PNG."""
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG")
    return buffer.getvalue()


def read_digits() -> Any:
    """Return MNIST's test digits if MNIST_PATH is set, else rendered ones, uint8 (n, 28, 28)."""
    if path := os.environ.get("MNIST_PATH"):
        with np.load(path) as arrays:
            return arrays["x_test"][:DIGITS]
    images = [digit_png(str(number % 10)) for number in range(DIGITS)]
    return np.stack([np.asarray(Image.open(io.BytesIO(image))) for image in images])


@contextmanager
def run_service(folder: Path, database: dict[str, str]) -> Iterator[Service]:
    """Run a service with one worker; `database` has its owner's libpq variables."""
    for path, name in MODELS.items():
        shutil.copytree(SHIPPED / name, folder / "models" / path)
    (folder / "keys").write_text(f"{hashlib.sha256(KEY.encode()).hexdigest()} the tests\n")
    port = ports.find_free()
    variables = {
        **database,
        "PGUSER": "mlops_app",
        "PGPASSWORD": "pass123",
        "API_PORT": str(port),
        "API_WORKERS": "1",
        "API_KEYS_FILE": str(folder / "keys"),
        "MAX_REQUEST_BYTES": str(MAX_REQUEST_BYTES),
        "MODELS_DIR": str(folder / "models"),
        "COMPILED_DIR": str(folder / "compiled"),
        "JOURNAL_DIR": str(folder / "journal"),
        "IMAGES_URL": str(folder / "images"),
    }
    with (folder / "log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "inference"],
            env={**os.environ, **variables},
            stdout=log,
            stderr=log,
        )
    try:
        service = Service(f"127.0.0.1:{port}", folder, read_digits())
        _wait_until_ready(service, process, folder / "log")
        move = {**CHAMPION, "moved_by": "the tests", "reason": "a test"}
        url = f"{service.url}/api/v1.0/aliases/mnist/champion"
        moved = requests.put(url, json=move, headers={"X-API-Key": KEY}, timeout=30)
        assert moved.status_code == 200, moved.text
        yield service
    finally:
        process.terminate()
        process.wait(timeout=30)


def _wait_until_ready(service: Service, process: subprocess.Popen[bytes], log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while True:
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        try:
            if requests.get(f"{service.url}/v2/health/ready", timeout=5).status_code == 200:
                return
        except requests.ConnectionError:
            pass
        time.sleep(0.05)
