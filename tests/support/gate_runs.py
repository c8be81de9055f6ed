"""Runs of the pipeline up to their verdict: shipped models, drawn digits and a real Postgres."""

import hashlib
import io
import json
import uuid
import zipfile
from collections.abc import Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image
from psycopg2.extras import RealDictCursor

from inference.originals.local_store import LocalStore
from inference.preprocessing.digits import pixel_digest
from inference.probe.digits import probe_digits
from pipeline.database import Database
from pipeline.models.model import load_directory
from pipeline.models.predictions import predict_labels
from pipeline.settings import from_environment
from pipeline.steps import compare, evaluate
from pipeline.steps.context import Run, StepContext
from tests.conftest import SHIPPED
from tests.support.database import connect

GOOD = "mnist_experiment_12__lenet5"
SIMILAR = "mnist_experiment_24__lenet5_momentum_99"
BAD = "mnist_experiment_13__lenet5_slow"
MODEL_FILES = ("model.keras", "model.tflite", "card.json")
Images = NDArray[np.uint8]

INSERT_IMAGE = """
INSERT INTO images (id, digest, width, height, bytes, media_type, ink_share, mean, border,
    first_seen_at, original_url, stored_at)
VALUES (%(id)s, %(digest)s, 28, 28, 100, 'image/png', 0.1, 30, 0, now(), %(url)s, now())
"""
INSERT_PREDICTION = """
INSERT INTO predictions (id, image_id, model_version_id, task, label, confidence, probabilities,
    created_at, last_event_at)
VALUES (%(prediction)s, %(id)s, %(version)s, 'mnist', '0', 0.9,
    '{0.9, 0.1, 0, 0, 0, 0, 0, 0, 0, 0}', now(), now())
"""
INSERT_VERSION = """
INSERT INTO model_versions (id, experiment_name, version, digest, format, task, classes, input,
    output, status, first_seen_at, status_since)
VALUES (%s, 'logged', 1, 'd', 'litert', 'mnist', %s, '{}', 'probabilities', 'READY', now(), now())
"""


def noisy_digits(rounds: int, seed: int) -> tuple[Images, list[str]]:
    """Return the 200 probe digits with noise, a number of times, and their labels."""
    random = np.random.default_rng(seed)
    pixels, labels = probe_digits()
    noisy = [
        np.clip(pixels + random.normal(0, 60, pixels.shape), 0, 255).astype(np.uint8)
        for _ in range(rounds)
    ]
    return np.concatenate(noisy), [str(label) for label in labels.tolist()] * rounds


def predictions_of(name: str, images: Images) -> list[str]:
    """Return the labels that a shipped model predicts."""
    return [str(index) for index in predict_labels(load_directory(SHIPPED / name).network, images)]


class GateRuns:
    """Champion, candidates, logged images and labels in one database."""

    def __init__(
        self, environment: Mapping[str, str], folder: Path, patch: pytest.MonkeyPatch
    ) -> None:
        self._environment = environment
        self.store = LocalStore(folder / "images")
        self._folder = folder
        self.models_dir = SHIPPED
        self._version = str(uuid.uuid4())
        for name, value in {
            "PGUSER": "mlops_pipeline",
            "PGPASSWORD": "pass123",
            "MNIST_PATH": str(folder / "mnist.npz"),
        }.items():
            patch.setenv(name, value)
        self.rows(INSERT_VERSION, [self._version, list("0123456789")])
        [dataset] = self.rows(
            """INSERT INTO datasets (task, digest, images, train, validation, test, classes,
                sources, created_by)
            VALUES ('mnist', 'd', 0, 0, 0, 0, '[]', '{}', 't') RETURNING id"""
        )
        self.dataset_id: int = dataset["id"]
        self.write_base(*noisy_digits(6, 0))

    def rows(self, statement: str, arguments: Any = None) -> list[dict[str, Any]]:
        """Run a statement as the owner."""
        with (
            closing(connect(self._environment)) as connection,
            connection,
            connection.cursor(cursor_factory=RealDictCursor) as cursor,
        ):
            cursor.execute(statement, arguments)
            return [dict(row) for row in cursor.fetchall()] if cursor.description else []

    def write_base(
        self, images: Images, labels: Sequence[str], trained: Images | None = None
    ) -> None:
        """Write the base dataset: its test images, and training images that nothing reads."""
        train, _ = probe_digits()
        train = train if trained is None else np.concatenate([train, trained])
        np.savez(
            self._folder / "mnist.npz",
            x_train=train,
            y_train=np.zeros(len(train), np.uint8),
            x_test=images,
            y_test=np.array([int(label) for label in labels], np.uint8),
        )

    def set_champion(self, name: str) -> int:
        """Move the alias champion and return the move."""
        [move] = self.rows(
            "SELECT id FROM move_alias('mnist', 'champion', %s, 1, 'digest', 't', 'r')", [name]
        )
        event: int = move["id"]
        return event

    def start(
        self, candidate: str, trigger: str = "schedule", parent: int | None = None
    ) -> StepContext:
        """Return the context of the step evaluate of a run whose candidate is a shipped model."""
        self.rows("UPDATE pipeline_runs SET state = 'SUCCEEDED', finished_at = now()")
        token = str(uuid.uuid4())
        kind = "retrain" if parent is None else "compare"
        [row] = self.rows(
            """INSERT INTO pipeline_runs (kind, task, experiment_name, state, lease_token,
                parent_run_id, dataset_id) VALUES (%s, 'mnist', 'mnist_experiment_99__new',
                'RUNNING', %s, %s, %s) RETURNING id""",
            [kind, token, parent, self.dataset_id],
        )
        work = self._folder / "work" / str(row["id"])
        work.mkdir(parents=True)
        settings = from_environment(
            {
                "MODELS_DIR": str(self.models_dir),
                "IMAGES_URL": str(self.store.path),
                "PIPELINE_WORK": str(self._folder / "work"),
            }
        )
        outputs: dict[str, dict[str, Any]] = {
            "ingest": {"dataset_id": self.dataset_id},
            "validate": {"contamination": 0},
            "train": {"chosen": {"artifact_url": self._put_artifact(candidate)}},
        }
        run = Run(row["id"], kind, "mnist", "mnist_experiment_99__new", {}, parent, trigger)
        return StepContext(run, "evaluate", token, outputs, work, settings, Database())

    def finish(self, context: StepContext) -> dict[str, Any]:
        """Do the steps evaluate and compare, and return the output of the latter."""
        evaluated = evaluate.run(context)
        # As the worker stores and reads them.
        context.outputs = {**context.outputs, "evaluate": json.loads(json.dumps(evaluated))}
        context.step = "compare"
        return compare.run(context)

    def log(self, images: Images) -> list[str]:
        """Store images with originals as if the service had predicted them; return digests."""
        digests = []
        for image in images:
            out = io.BytesIO()
            Image.fromarray(image).save(out, "PNG")
            digest = pixel_digest(image)
            values = {
                "id": str(uuid.UUID(digest[:32])),
                "digest": digest,
                "url": self.store.put(f"{digest[:2]}/{digest}.png", out.getvalue()),
                "prediction": str(uuid.uuid4()),
                "version": self._version,
            }
            self.rows(INSERT_IMAGE, values)
            self.rows(INSERT_PREDICTION, values)
            digests.append(digest)
        return digests

    def label(
        self, digest: str, label: str, *, request: bool = False, replaces: str | None = None
    ) -> None:
        """Label a logged image, as a volunteer or as the answer to its open request."""
        [row] = self.rows(
            """SELECT l.outcome FROM predictions p JOIN images i ON i.id = p.image_id
            LEFT JOIN label_requests r ON r.image_id = i.id AND r.answered_at IS NULL AND %s
            CROSS JOIN LATERAL label_prediction(p.id, %s, 'ada', %s, r.id) l
            WHERE i.digest = %s""",
            [request, label, replaces, digest],
        )
        assert row["outcome"] == "stored"

    def comparison(self, run_id: int, image_set: str) -> dict[str, Any]:
        """Return the stored comparison of a run on a set."""
        [row] = self.rows(
            "SELECT * FROM comparisons WHERE run_id = %s AND image_set = %s", [run_id, image_set]
        )
        return row

    def decision(self, run_id: int) -> dict[str, Any]:
        """Return the last verdict of a run."""
        return self.rows(
            "SELECT * FROM promotion_decisions WHERE run_id = %s ORDER BY id DESC", [run_id]
        )[0]

    def requested(self, run_id: int) -> list[str]:
        """Return the digests of the images whose label a run asked for."""
        rows = self.rows(
            "SELECT image_digest FROM label_requests WHERE run_id = %s ORDER BY id", [run_id]
        )
        return [row["image_digest"] for row in rows]

    def _put_artifact(self, name: str) -> str:
        out = io.BytesIO()
        with zipfile.ZipFile(out, "w") as archive:
            for file in MODEL_FILES:
                archive.writestr(zipfile.ZipInfo(file), (SHIPPED / name / file).read_bytes())
        digest = hashlib.sha256(out.getvalue()).hexdigest()
        return self.store.put(f"{digest[:2]}/{digest}.zip", out.getvalue())
