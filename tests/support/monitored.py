"""A monitored task in a database: versions, references, and predictions of drawn digits.

The digits are drawn with a font at random positions, sizes and angles. The predictions are made up:
the model is right and more or less confident.
"""

import hashlib
import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

import numpy as np
import psycopg2.extensions
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from psycopg2.extras import execute_values

from monitoring.detector import Observations, PathReference, load_basis, tie_of
from monitoring.metrics import MonitorCollector
from monitoring.service import Monitor
from monitoring.settings import Settings, from_environment
from monitoring.storage.connection import Database
from monitoring.storage.references import TEST, NewReference, add_reference
from tests.support.database import connect

SIDE, CANVAS = 28, 56
CLASSES = tuple("0123456789")
STORE_ORIGINALS = """
ALTER TABLE images ALTER original_url SET DEFAULT 'x', ALTER stored_at SET DEFAULT now()
"""
START = datetime(2026, 11, 1, tzinfo=UTC)
REFERENCE_IMAGES = 2000
VERSION = """
INSERT INTO model_versions (id, experiment_name, version, digest, format, task, classes, input,
    output, status, first_seen_at, status_since, test_accuracy)
VALUES (%s, %s, 1, %s, 'litert', %s, %s, '{}', 'probabilities', 'READY', now(), now(), 0.98)
"""
CHAMPION = """
INSERT INTO alias_events (task, alias, experiment_name, version, model_digest, moved_by, reason)
VALUES (%s, %s, %s, 1, %s, 'test', 'a test')
"""


@dataclass(frozen=True)
class Digits:
    """Drawn digits: N x 28 x 28 uint8, their labels, and a model's probabilities, N x 10."""

    pixels: NDArray[np.uint8]
    labels: NDArray[np.int64]
    probabilities: NDArray[np.float32]

    def observations(self) -> Observations:
        """Return what the detector examines."""
        ties = np.array([tie_of(digest(image)) for image in self.pixels])
        return Observations(self.pixels, self.labels, self.probabilities, ties)

    def __getitem__(self, part: slice) -> "Digits":
        return Digits(self.pixels[part], self.labels[part], self.probabilities[part])

    def with_doubt(self) -> "Digits":
        """Return the same images, of which the model is less sure."""
        return Digits(self.pixels, self.labels, 0.4 * self.probabilities + np.float32(0.06))


def draw(seed: int, count: int, turn: float = 0.0, texts: str = "0123456789") -> Digits:
    """Return random digits, turned by `turn` degrees more than usual."""
    random = np.random.default_rng(seed)
    labels = random.integers(0, len(texts), count)
    pixels = np.stack([_draw(random, texts[label], turn) for label in labels])
    return Digits(pixels, labels, _probabilities(random, labels % len(CLASSES)))


def digest(image: NDArray[np.uint8]) -> str:
    """Return the digest of an image as hex."""
    return hashlib.sha256(image.tobytes()).hexdigest()


@lru_cache(maxsize=4)
def reference(seed: int = 1, count: int = REFERENCE_IMAGES) -> PathReference:
    """Return a reference of drawn digits."""
    digits = draw(seed, count)
    correct = np.random.default_rng(seed).random(count) < 0.98
    return PathReference.fit(digits.observations(), correct, load_basis("mnist"))


class MonitoredTask:
    """Rows of a task `mnist` with a champion, and the monitor that examines them."""

    def __init__(self, environment: Mapping[str, str], **settings: str) -> None:
        """`environment` has the owner's libpq variables; the process has those of the service."""
        self.environment = environment
        self.settings = settings_of(**settings)
        self.champion = self.add_version("champion")
        self.point("champion", "champion")
        self.at = START
        self.database = Database()
        self.collector = MonitorCollector()
        self.monitor = Monitor(self.settings, self.database, self.collector)

    def close(self) -> None:
        """Stop the monitor."""
        self.database.close()

    def replace_monitor(self) -> None:
        """Start another monitor, as after a kill."""
        self.database.close()
        self.rows("UPDATE monitor_lease SET token = NULL")
        self.database = Database()
        self.monitor = Monitor(self.settings, self.database, self.collector)

    def connect(self) -> psycopg2.extensions.connection:
        """Connect as the owner."""
        return connect(self.environment)

    def rows(self, statement: str, *arguments: object) -> list[tuple[Any, ...]]:
        """Run a statement as the owner and return its rows."""
        connection = self.connect()
        with connection, connection.cursor() as cursor:
            cursor.execute(statement, arguments)
            rows = cursor.fetchall() if cursor.description else []
        connection.close()
        return rows

    def add_version(self, name: str, task: str = "mnist") -> str:
        """Add a model version and return its id."""
        version = str(uuid.uuid5(uuid.NAMESPACE_URL, f"{task}/{name}"))
        model_digest = hashlib.sha256(name.encode()).hexdigest()
        self.rows(VERSION, version, name, model_digest, task, list(CLASSES))
        return version

    def point(self, alias: str, name: str, task: str = "mnist") -> None:
        """Move an alias to a version."""
        model_digest = hashlib.sha256(name.encode()).hexdigest()
        self.rows(CHAMPION, task, alias, name, model_digest)

    def add_reference(
        self, version: str | None = None, paths: Sequence[str] = ("as_sent", "framed")
    ) -> None:
        """Store a reference of test images for each path."""
        connection = self.connect()
        with connection, connection.cursor() as cursor:
            for path in paths:
                new = NewReference(
                    "mnist", version or self.champion, path, TEST, "test", reference()
                )
                add_reference(cursor, new)
        connection.close()

    def send(
        self,
        digits: Digits,
        version: str | None = None,
        *,
        source: str | None = "curl/8",
        side: int = SIDE,
        warnings: Sequence[str] = (),
        per_second: float = 10.0,
    ) -> None:
        """Store predictions of a version, as the shipper does."""
        version = version or self.champion
        images, pixels, predictions, events = [], [], [], []
        for image, label, probabilities in zip(
            digits.pixels, digits.labels, digits.probabilities, strict=True
        ):
            self.at += timedelta(seconds=1 / per_second)
            name = digest(image)
            image_id, prediction = name[:32], str(uuid.uuid5(uuid.UUID(version), name))
            images.append((image_id, name, side, list(warnings), self.at))
            pixels.append((image_id, image.tobytes()))
            values = [float(value) for value in probabilities]
            predictions.append(
                (prediction, image_id, version, CLASSES[label], max(values), values, self.at)
            )
            events.append((str(uuid.uuid4()), self.at, prediction, source))
        self._insert(images, pixels, predictions, events)

    def _insert(self, images: Any, pixels: Any, predictions: Any, events: Any) -> None:
        connection = self.connect()
        with connection, connection.cursor() as cursor:
            cursor.execute("SELECT lock_summaries()")
            cursor.execute("SELECT make_events_partition(%s)", [self.at])
            execute_values(
                cursor,
                "INSERT INTO images (id, digest, width, height, bytes, media_type, ink_share, mean,"
                " border, first_seen_at, warnings) VALUES %s ON CONFLICT DO NOTHING",
                [
                    (image_id, name, side, side, 1, "image/png", 0, 0, 0, at, warnings)
                    for image_id, name, side, warnings, at in images
                ],
                template="(%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s::text[])",
            )
            execute_values(
                cursor,
                "INSERT INTO image_pixels (image_id, pixels) VALUES %s ON CONFLICT DO NOTHING",
                pixels,
            )
            for row in predictions:  # one by one, so that the numbers have this order
                cursor.execute(
                    "INSERT INTO predictions (id, image_id, model_version_id, task, label,"
                    " confidence, probabilities, created_at, last_event_at)"
                    " VALUES (%s, %s, %s, 'mnist', %s, %s, %s, %s, %s) ON CONFLICT DO NOTHING",
                    [*row, row[-1]],
                )
            execute_values(
                cursor,
                "INSERT INTO prediction_events (id, at, prediction_id, milliseconds, cached,"
                " request_id, source) VALUES %s",
                [
                    (event, at, prediction, 1, False, "r", source)
                    for event, at, prediction, source in events
                ],
            )
        connection.close()

    def look(self) -> None:
        """Let the monitor examine all that waits."""
        while self.monitor.look():
            pass

    def open_alerts(self) -> list[tuple[Any, ...]]:
        """Return family, families and severity of the open alerts."""
        return self.rows(
            "SELECT family, families, severity FROM alerts WHERE closed_at IS NULL ORDER BY id"
        )

    def alerts(self) -> list[tuple[Any, ...]]:
        """Return all that is equal in a repeated run about all alerts."""
        return self.rows(
            "SELECT family, families, path, severity, onset_number, onset_at, image_number,"
            " evidence, features, sources, example_images, quiet_images, close_reason"
            " FROM alerts ORDER BY id"
        )

    def states(self) -> list[tuple[Any, ...]]:
        """Return all that is equal in a repeated run about the detectors."""
        return self.rows(
            "SELECT d.path, d.family, d.cursor, d.images, d.skipped, d.learnt, d.state, d.evidence,"
            " d.top_feature, (SELECT array_agg(to_jsonb(c) - 'at' - 'monitor_id' ORDER BY c.images)"
            " FROM drift_checks c WHERE c.monitor_id = d.id)"
            " FROM drift_monitors d ORDER BY d.model_version_id, d.path, d.family"
        )


def settings_of(**settings: str) -> Settings:
    """Return the monitor's settings without a model directory."""
    return from_environment({"MODELS_DIR": "none", **settings})


def _draw(random: np.random.Generator, text: str, turn: float) -> NDArray[np.uint8]:
    image = Image.new("L", (CANVAS, CANVAS), 0)
    font = _font(int(random.integers(34, 44)))
    center = CANVAS / 2 + random.normal(0, 1.5, 2)
    ImageDraw.Draw(image).text(tuple(center), text, fill=255, font=font, anchor="mm")
    image = image.rotate(float(random.normal(turn, 5)), Image.Resampling.BILINEAR)
    small = np.asarray(image.resize((SIDE, SIDE), Image.Resampling.BILINEAR), np.float64)
    ink = small * random.uniform(0.8, 1.0) + np.where(
        small > 0, random.normal(0, 6, small.shape), 0
    )
    return np.clip(np.rint(ink), 0, 255).astype(np.uint8)


@lru_cache(maxsize=32)
def _font(size: int) -> Any:
    return ImageFont.load_default(size=size)


def _probabilities(random: np.random.Generator, labels: NDArray[np.int64]) -> NDArray[np.float32]:
    rest = random.exponential(1.0, (len(labels), len(CLASSES)))
    rest[np.arange(len(labels)), labels] = 0
    rest /= rest.sum(axis=1, keepdims=True)
    doubt = random.beta(0.5, 12, len(labels))
    values = rest * doubt[:, None]
    values[np.arange(len(labels)), labels] = 1 - doubt
    return values.astype(np.float32)
