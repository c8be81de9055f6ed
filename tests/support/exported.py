"""Rows for exports: a model version, and images that it predicted at given times."""

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq

from tests.support.database import connect

VERSION = "11111111-1111-1111-1111-111111111111"
ADD_VERSION = f"""
INSERT INTO model_versions (id, experiment_name, version, digest, format, task, classes, input,
                            output, status, first_seen_at, status_since)
VALUES ('{VERSION}', 'lenet', 3, 'ab', 'litert', 'mnist', '{{"0","1,\\"x"}}', '{{"scale": 1}}',
        'logits', 'READY', '2026-11-01', '2026-11-01')
"""
ADD_EXPERIMENT = """
INSERT INTO experiments (name, learning_rate, momentum, params, metrics, source_file, source_line,
                         content_digest)
VALUES (%s, 0.1, 0.9, '{"architecture": "lenet5"}', '{"test_accuracy": 0.98}', 'data.csv', 2, 'ab')
RETURNING id
"""
ADD_CURVE = """
INSERT INTO metric_curves (experiment_id, metric, steps, metric_values, best_value, best_step)
VALUES (%s, 'loss', '{1,2,3}', '{2.5,"NaN",1.5}', 1.5, 3)
"""
ADD_PREDICTION = f"""
WITH image AS (
    INSERT INTO images (id, digest, width, height, bytes, media_type, ink_share, mean, border,
                        first_seen_at, warnings)
    VALUES (left(%(digest)s, 32)::uuid, %(digest)s, 28, 28, 300, 'image/png', 0.2, 35, 0, %(at)s,
            '{{"several digits (2)"}}')
    RETURNING id
)
INSERT INTO predictions (id, image_id, model_version_id, task, label, confidence, probabilities,
                         created_at, last_event_at)
SELECT md5(%(digest)s)::uuid, id, '{VERSION}', 'mnist', '1,"x', 0.75, '{{0.25,0.75}}', %(at)s,
       %(at)s FROM image
"""
ADD_EVENT = """
INSERT INTO prediction_events (id, at, prediction_id, milliseconds, cached, request_id, source)
VALUES (gen_random_uuid(), %(at)s, md5(%(digest)s)::uuid, 1.5, false, 'request', 'curl/8')
"""
ADD_LABEL = """
INSERT INTO labels (image_id, task, label, labelled_by)
VALUES (left(%(digest)s, 32)::uuid, 'mnist', %(label)s, 'ann')
"""


class Rows:
    """Rows of a database, which its owner adds."""

    def __init__(self, database: Mapping[str, str]) -> None:
        self._connection = connect(database)
        self._connection.autocommit = True
        self.execute(ADD_VERSION)

    def execute(self, statement: str, values: Any = None) -> list[Any]:
        with self._connection.cursor() as cursor:
            cursor.execute(statement, values)
            return list(cursor.fetchall()) if cursor.description else []

    def experiment(self, name: str) -> None:
        [(number,)] = self.execute(ADD_EXPERIMENT, [name])
        self.execute(ADD_CURVE, [number])

    def predict(self, image: str, at: str) -> None:
        """Add an image with its prediction and event. The month's partition is made."""
        self.execute("SELECT make_events_partition(%s)", [at])
        values = {"digest": digest(image), "at": at}
        self.execute(ADD_PREDICTION, values)
        self.execute(ADD_EVENT, values)

    def repeat(self, image: str, at: str) -> None:
        """Add another event of an image's prediction."""
        self.execute(ADD_EVENT, {"digest": digest(image), "at": at})

    def label(self, image: str, label: str) -> None:
        self.execute("UPDATE images SET warnings = '{}' WHERE digest = %s", [digest(image)])
        self.execute(ADD_LABEL, {"digest": digest(image), "label": label})

    def close(self) -> None:
        self._connection.close()


def digest(image: str) -> str:
    """Return the digest of an image."""
    return hashlib.sha256(image.encode()).hexdigest()


def files(folder: Path) -> set[str]:
    """Return the paths of all Parquet files below a folder, also of hidden ones."""
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*.parquet")}


def read(folder: Path, name: str) -> list[dict[str, Any]]:
    """Return the rows of a file."""
    return list(pq.ParquetFile(folder / name).read().to_pylist())


def manifest_of(folder: Path) -> dict[str, Any]:
    """Return the entries of a manifest by path."""
    document = json.loads((folder / "manifest.json").read_text())
    return {entry["path"]: entry for entry in document["files"]}
