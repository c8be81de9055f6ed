"""A service with its monitor on a Postgres of its own: sends images and reads what it found."""

import io
import shutil
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import requests
from numpy.typing import NDArray
from PIL import Image

from local import ports
from tests.conftest import SHIPPED
from tests.integration.prediction_log.test_prediction_log import eventually
from tests.resilience.stack import FaultyStack

CHAMPION = "mnist_experiment_12__lenet5"
BATCH = 100  # images of a call
PATIENCE_SECONDS = 120
EMPTY = """
TRUNCATE prediction_events, predictions, images, image_votes, traffic, confusion_counts, labels,
         label_requests, image_pixels, drift_checks, alerts, retrain_requests, drift_monitors,
         reference_requests, drift_references CASCADE
"""
FORGET = "TRUNCATE drift_checks, alerts, retrain_requests, drift_monitors"
BEHIND = """
SELECT count(*) FROM predictions p WHERE p.number > coalesce(
    (SELECT min(d.cursor) FROM drift_monitors d
     WHERE d.watched AND d.family <> 'accuracy' AND d.task = p.task), 0)
"""
ALERTS = """
SELECT family, families, path, severity, onset_number, onset_at, image_number, evidence, features,
       sources, example_images::text[], quiet_images, close_reason
FROM alerts ORDER BY id
"""
STATES = """
SELECT d.path, d.family, d.cursor, d.images, d.state, d.evidence, d.top_feature,
       (SELECT array_agg(to_jsonb(c) - 'at' - 'monitor_id' ORDER BY c.images)
        FROM drift_checks c WHERE c.monitor_id = d.id)
FROM drift_monitors d ORDER BY d.model_version_id, d.path, d.family
"""

Pixels = NDArray[np.uint8]


class MonitoredStack(FaultyStack):
    """The stack with one model, the champion of its task, and a monitor that examines all."""

    def __init__(self, folder: Path, **settings: str) -> None:
        shutil.copytree(SHIPPED / CHAMPION, folder / "models" / CHAMPION)
        self.metrics_port = ports.find_free()
        super().__init__(
            folder,
            folder / "models",
            **{
                "MONITOR": "1",
                "MONITOR_METRICS_PORT": str(self.metrics_port),
                "MONITOR_IMAGES_PER_SECOND": "10000",
                "CACHE_ENTRIES": "0",
                **settings,
            },
        )

    def monitor(self) -> psutil.Process | None:
        """Return the monitor, None while it is not running."""
        return next(
            (process for process in self.processes() if _is_monitor(process)),
            None,
        )

    def empty(self) -> None:
        """Remove all predictions and what the monitor knows of them, with a new service."""
        if self.service is not None and self.service.poll() is None:
            self.stop_service()
        shutil.rmtree(self.journal, ignore_errors=True)
        self.rows(EMPTY)
        self.start_service()
        eventually(lambda: self.rows("SELECT id FROM drift_monitors LIMIT 1"), PATIENCE_SECONDS)

    def send(self, images: Sequence[bytes], source: str = "bench/1", batch: int = BATCH) -> None:
        """Send encoded images to the champion."""
        with requests.Session() as session:
            for start in range(0, len(images), batch):
                files = [("images", image) for image in images[start : start + batch]]
                response = session.post(
                    self.url("predictions"),
                    params={"experiments": CHAMPION},
                    files=files,
                    headers={"User-Agent": source},
                    timeout=PATIENCE_SECONDS,
                )
                assert response.status_code == 200, response.text

    def settle(self) -> None:
        """Wait until the monitor has read all that was sent."""
        self.until_shipped()
        eventually(lambda: self.rows(BEHIND) == [(0,)], PATIENCE_SECONDS)

    def alerts(self) -> list[Any]:
        """Return all alerts, without what differs between two runs."""
        return self.rows(ALERTS)

    def states(self) -> list[Any]:
        """Return all detectors with their history, without what differs between two runs."""
        return self.rows(STATES)

    def examine_again(self) -> None:
        """Let the monitor forget everything and examine all predictions again."""
        monitor = self.monitor()
        if monitor is not None:
            monitor.kill()
        self.rows(FORGET)
        self.settle()

    def metrics(self) -> str:
        """Return the metrics of the monitor."""
        return requests.get(f"http://127.0.0.1:{self.metrics_port}/metrics", timeout=5).text


def png(pixels: Pixels, side: int | None = None) -> bytes:
    """Return an image as PNG, enlarged to `side` pixels."""
    image = Image.fromarray(pixels)
    if side is not None:
        image = image.resize((side, side), Image.Resampling.BICUBIC)
    buffer = io.BytesIO()
    image.save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def wait_for(condition: Callable[[], Any], seconds: float = PATIENCE_SECONDS) -> Any:
    """Wait until a condition returns something true, and return that."""
    deadline = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < deadline, "timed out"
        time.sleep(0.1)
    return value


def _is_monitor(process: psutil.Process) -> bool:
    try:
        return process.cmdline()[-2:] == ["-m", "monitoring"]
    except (psutil.NoSuchProcess, psutil.ZombieProcess):
        return False
