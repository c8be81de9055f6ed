"""Rows of the monitor: predictions with pixels, references, detectors, checks and alerts."""

import hashlib
import json
import uuid
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any

import numpy as np
import psycopg2.extensions
from psycopg2.extras import Json, execute_values

from monitoring.detector import Observations, PathReference, load_basis
from tests.support.monitoring_images import Images, digits

TASK, CHAMPION = "mnist", "mnist_experiment_25__deep_cnn_16_48_96_augmented"
DIGITS = list("0123456789")
SOURCES = {"python-requests": 0.93, "curl": 0.07}


@cache
def fit_reference() -> tuple[PathReference, list[float], list[float]]:
    """Return a reference of drawn digits, and mean and deviation of its features."""
    pixels, labels = digits(1500, 1)
    classes = np.array([int(label) for label in labels], np.int64)
    count = len(classes)
    probabilities = np.full((count, len(DIGITS)), 0.01, np.float32)
    probabilities[np.arange(count), classes] = 0.91
    observations = Observations(pixels, classes, probabilities, np.linspace(0, 0.99, count))
    basis = load_basis(TASK)
    values = PathReference.fit(observations, None, basis).input_values(observations)
    fitted = PathReference.fit(observations, np.ones(count, np.bool_), basis)
    return fitted, values.mean(axis=0).tolist(), values.std(axis=0).tolist()


class MonitoringRows:
    """Writes rows as the service and the monitor do. The connection is the owner's."""

    def __init__(self, connection: psycopg2.extensions.connection) -> None:
        self._connection = connection
        connection.autocommit = True

    def one(self, statement: str, *arguments: Any) -> Any:
        """Execute a statement and return the first column of its first row."""
        with self._connection.cursor() as cursor:
            cursor.execute(statement, arguments)
            return cursor.fetchone()[0] if cursor.description else None  # type: ignore[index]

    def insert(self, table: str, **values: Any) -> Any:
        """Insert a row and return its first column."""
        encoded = [Json(one) if isinstance(one, dict) else one for one in values.values()]
        marks = ", ".join(["%s"] * len(values))
        statement = f"INSERT INTO {table} ({', '.join(values)}) VALUES ({marks}) RETURNING *"
        return self.one(statement, *encoded)

    def version(self, name: str = CHAMPION, version: int = 1, task: str = TASK) -> str:
        """Return the id of a READY version, which is added if it is missing."""
        found = (
            "SELECT id::text FROM model_versions WHERE experiment_name = %s AND version = %s"
            " AND status = 'READY' UNION ALL SELECT NULL"
        )
        known: str | None = self.one(found, name, version)
        if known is not None:
            return known
        added: str = self.insert(
            "model_versions", id=str(uuid.uuid4()), experiment_name=name, version=version,
            digest=hashlib.sha256(f"{name}{version}".encode()).hexdigest(), format="litert",
            task=task, classes=DIGITS, input={}, output="logits", status="READY",
            first_seen_at="2026-01-01", status_since="2026-01-01", test_accuracy=0.991,
        )  # fmt: skip
        return added

    def heartbeat(self, age: timedelta = timedelta()) -> None:
        """Store the monitor's sign of life."""
        self.one(
            "UPDATE monitor_lease SET token = %s, host = 'm1', pid = 1, seen_at = now() - %s",
            str(uuid.uuid4()),
            age,
        )

    def predictions(
        self,
        version: str,
        images: Images,
        labels: Sequence[str],
        *,
        at: datetime | None = None,
        source: str = "python-requests",
        task: str = TASK,
        stored: bool = True,
    ) -> list[str]:
        """Add images with their pixels, predictions and events, and return the image ids."""
        at = at or datetime.now(UTC)
        digests = [hashlib.sha256(image.tobytes()).hexdigest() for image in images]
        rows = [
            (
                digest[:32], digest, 28, 28, 300, "image/png", float((image >= 128).mean()),
                float(image.mean()), 14.0, 14.0, 0.0, at,
                *(("file:///x", at) if stored else (None, None)),
            )
            for digest, image in zip(digests, images, strict=True)
        ]  # fmt: skip
        keys = [str(uuid.uuid4()) for _ in digests]
        with self._connection.cursor() as cursor:
            execute_values(
                cursor,
                "INSERT INTO images (id, digest, width, height, bytes, media_type, ink_share, mean,"
                " centroid_x, centroid_y, border, first_seen_at, original_url, stored_at) VALUES %s"
                " ON CONFLICT DO NOTHING",
                rows,
            )
            execute_values(
                cursor,
                "INSERT INTO image_pixels (image_id, pixels) VALUES %s ON CONFLICT DO NOTHING",
                [
                    (digest[:32], image.tobytes())
                    for digest, image in zip(digests, images, strict=True)
                ],
            )
            execute_values(
                cursor,
                "INSERT INTO predictions (id, image_id, model_version_id, task, label, confidence,"
                " probabilities, created_at, last_event_at) VALUES %s",
                [
                    (key, digest[:32], version, task, label, 0.98, [0.1] * 10, at, at)
                    for key, digest, label in zip(keys, digests, labels, strict=True)
                ],
            )
            execute_values(
                cursor,
                "INSERT INTO prediction_events (id, at, prediction_id, milliseconds, cached,"
                " request_id, source) VALUES %s",
                [
                    (str(uuid.uuid4()), at, key, 2 + number % 7, False, "r", source)
                    for number, key in enumerate(keys)
                ],
            )
        return [digest[:32] for digest in digests]

    def reference(
        self, version: str, path: str = "as_sent", origin: str = "test", shift: float = 0.0
    ) -> int:
        """Add the current reference of a path; `shift` moves its means, in deviations."""
        self.one(
            "UPDATE drift_references SET replaced_at = now() WHERE model_version_id = %s"
            " AND path = %s AND replaced_at IS NULL",
            version,
            path,
        )
        fitted, base, deviations = fit_reference()
        means = [mean + shift * own for mean, own in zip(base, deviations, strict=True)]
        number: int = self.insert(
            "drift_references", task=TASK, model_version_id=version, path=path, origin=origin,
            images=fitted.images, features=list(fitted.feature_names), means=means,
            deviations=deviations, label_counts=[150] * 10,
            test_accuracy=0.991 if origin == "test" else None, sketch=fitted.to_json(),
            digest=fitted.digest, created_by="mlops-monitor",
        )  # fmt: skip
        return number

    def monitor(self, version: str, family: str = "inputs", **changes: Any) -> int:
        """Add a detector that has examined 10,500 images, with the given changes."""
        threshold = 1e6 if family == "labels" else 1e7
        values: dict[str, Any] = {
            "task": TASK, "path": "as_sent", "threshold": threshold, "images": 10_500,
            "evidence": 1.2, "top_feature": "peak", "examined_at": datetime.now(UTC),
        }  # fmt: skip
        number: int = self.insert(
            "drift_monitors", model_version_id=version, family=family, **{**values, **changes}
        )
        return number

    def checks(
        self,
        monitor: int,
        evidence: Sequence[float],
        *,
        first_image: int = 100,
        every: timedelta = timedelta(minutes=2),
        until: datetime | None = None,
        estimated: float | None = None,
    ) -> None:
        """Add a check per value of evidence, 100 images apart; the last is at `until`."""
        until = until or datetime.now(UTC)
        _, means, _ = fit_reference()
        for number, value in enumerate(evidence):
            self.insert(
                "drift_checks", monitor_id=monitor, at=until - every * (len(evidence) - 1 - number),
                images=first_image + 100 * number, examined=100, evidence=value,
                highest=value + 0.3, means=means, label_counts=[10] * 10,
                estimated_accuracy=estimated,
            )  # fmt: skip

    def alert(self, version: str | None, examples: Sequence[str] = (), **changes: Any) -> int:
        """Add an open warning about the inputs, with the given changes."""
        now = datetime.now(UTC)
        values: dict[str, Any] = {
            "task": TASK, "kind": "drift", "family": "inputs", "families": ["inputs"],
            "path": "as_sent", "severity": "warning", "opened_at": now - timedelta(minutes=13),
            "onset_at": now - timedelta(minutes=14), "onset_number": 1, "image_number": 10_412,
            "evidence": 7.6, "sources": SOURCES,
            "features": json.dumps(
                [
                    {"feature": "peak", "share": 0.61, "family": "inputs"},
                    {"feature": "lit", "share": 0.3, "family": "inputs"},
                ]
            ),
        }  # fmt: skip
        number: int = self.insert(
            "alerts", model_version_id=version, example_images=f"{{{','.join(examples)}}}",
            **{**values, **changes},
        )  # fmt: skip
        return number
