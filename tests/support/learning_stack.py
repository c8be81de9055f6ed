"""Learning stack: a service, a Postgres and a worker with the real steps, on drawn digits."""

import io
import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import requests
from numpy.typing import NDArray
from PIL import Image

from inference.preprocessing.digits import pixel_digest
from inference.probe.digits import probe_digits
from local import ports
from tests.support.workers import Workers

Images = NDArray[np.uint8]
EXPERIMENT = "mnist_experiment_1__softmax_regression"
LONG_EXPERIMENT = "mnist_experiment_12__lenet5"  # each epoch takes about a second
TIMEOUT_SECONDS = 60
IMAGES_PER_CALL = 50
ADD_EXPERIMENT = """
INSERT INTO experiments (name, learning_rate, momentum, source_file, source_line, content_digest)
VALUES (%s, 0.1, 0, 'data.csv', 2, 'd')
"""


def draw_base(path: Path) -> None:
    """Write a base dataset of 6,000 training and 1,000 test digits with noise."""
    x_train, y_train = noisy_digits(30, seed=1)
    x_test, y_test = noisy_digits(5, seed=2)
    np.savez(path, x_train=x_train, y_train=y_train, x_test=x_test, y_test=y_test)


def noisy_digits(rounds: int, seed: int) -> tuple[Images, NDArray[np.uint8]]:
    """Return the 200 probe digits a number of times, with noise, and their labels."""
    random = np.random.default_rng(seed)
    pixels, labels = probe_digits()
    noise = [random.normal(0, 40, pixels.shape) for _ in range(rounds)]
    images = np.concatenate([np.clip(pixels + one, 0, 255).astype(np.uint8) for one in noise])
    return images, np.tile(np.array([int(label) for label in labels], np.uint8), rounds)


def new_pen(count: int) -> tuple[Images, NDArray[np.uint8]]:
    """Return digits of a pen that no model of the base dataset reads: upside down, in stripes."""
    images, labels = noisy_digits(count // 200 + 1, seed=3)
    order = np.random.default_rng(4).permutation(len(images))[:count]
    striped = images[order, ::-1].copy()
    striped[:, ::3] = 0
    return striped, labels[order]


class LearningStack(Workers):
    """The service and workers on one database, with directories below a folder."""

    def __init__(self, database: Mapping[str, str], folder: Path) -> None:
        super().__init__(database, folder)
        self.folder, self.models = folder, folder / "models"
        self.models.mkdir()
        draw_base(folder / "mnist.npz")
        self.port = ports.find_free()
        self._shared = {
            "MODELS_DIR": str(self.models),
            "IMAGES_URL": str(folder / "images"),
            "MNIST_PATH": str(folder / "mnist.npz"),
        }
        self.environment |= self._shared
        for experiment in (EXPERIMENT, LONG_EXPERIMENT):
            self.rows(ADD_EXPERIMENT, experiment)
        self.service = self.start_service()

    def start(self, **settings: str) -> subprocess.Popen[bytes]:
        """Start a worker."""
        return self._start("pipeline", "worker", environment={**self.environment, **settings})

    def start_dashboard(self) -> str:
        """Start the dashboard and return its URL."""
        port = ports.find_free()
        address = f"http://127.0.0.1:{port}"
        options = {"server.port": port, "server.headless": "true", "server.address": "127.0.0.1"}
        role = {"PGUSER": "mlops_web", "API_URL": f"http://127.0.0.1:{self.port}/api/v1.0"}
        self._start(
            "streamlit",
            "run",
            "web/server.py",
            *(f"--{name}={value}" for name, value in options.items()),
            environment={**self.environment, **role},
        )
        self.wait(lambda: _answers(f"{address}/_stcore/health"))
        return address

    def start_service(self) -> subprocess.Popen[bytes]:
        """Start the service and wait until it answers."""
        own = {
            "API_PORT": str(self.port),
            "API_WORKERS": "1",
            "COMPILED_DIR": str(self.folder / "compiled"),
            "JOURNAL_DIR": str(self.folder / "journal"),
        }
        role = {"PGUSER": "mlops_app", "PGPASSWORD": "pass123"}
        environment = {**os.environ, **self.database, **role, **self._shared, **own}
        service = self._start("inference", environment=environment)
        self.wait(self._is_up)
        return service

    def _start(self, *command: str, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", *command],
                env=environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.processes.append(process)
        return process

    def _is_up(self) -> bool:
        return _answers(f"http://127.0.0.1:{self.port}/api/v1.0/healthz")

    def call(self, method: str, path: str, **arguments: Any) -> Any:
        """Return the JSON of a response. Raises requests.HTTPError."""
        url = f"http://127.0.0.1:{self.port}/api/v1.0/{path}"
        response = requests.request(method, url, timeout=TIMEOUT_SECONDS, **arguments)
        response.raise_for_status()
        return response.json()

    def predict(self, images: Images) -> dict[str, dict[str, Any]]:
        """Ask the champion, and return its answers by image digest."""
        answers = {}
        for start in range(0, len(images), IMAGES_PER_CALL):
            files = [("images", png(image)) for image in images[start : start + IMAGES_PER_CALL]]
            document = self.call(
                "POST", "predictions", params={"experiments": "champion"}, files=files
            )
            for entry in document["predictions"]:
                answers[entry["image_digest"]] = entry["answers"][0]
        return answers

    def retrain(self, **parameters: Any) -> int:
        """Request a run and return its id."""
        document = {
            "task": "mnist",
            "experiment_name": EXPERIMENT,
            "trigger": "manual",
            "by": "ann",
            "reason": "a test",
            **parameters,
        }
        return int(self.call("POST", "retrain", json=document)["run_id"])

    def champion(self) -> tuple[str, int]:
        """Return experiment and version of the model that answers as champion."""
        model = self.call("GET", "models/champion")
        return model["name"], model["version"]


def digests(images: Images) -> list[str]:
    """Return the digest of each canonical image."""
    return [pixel_digest(image) for image in images]


def _answers(url: str) -> bool:
    try:
        return requests.get(url, timeout=TIMEOUT_SECONDS).ok
    except requests.RequestException:
        return False


def png(image: NDArray[np.uint8]) -> bytes:
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG")
    return file.getvalue()
