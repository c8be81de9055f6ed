"""Learning loop of tests: a small base dataset, and contexts of steps in a real database."""

import hashlib
import io
import uuid
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from inference.originals.keys import key_of
from inference.originals.open_store import open_store
from inference.preprocessing.digits import read_digit
from pipeline.database import Database
from pipeline.settings import from_environment
from pipeline.steps.context import Run, StepContext
from tests.support.training import draw_digits

TASK = "mnist"
Images = NDArray[np.uint8]


def write_base(path: Path, train: int = 600, test: int = 60) -> Path:
    """Write a small file in the layout of mnist.npz, in which all images differ."""
    (x_train, y_train), (x_test, y_test) = different_digits(train, 1), different_digits(test, 2)
    np.savez(path, x_train=x_train, y_train=y_train, x_test=x_test, y_test=y_test)
    return path


def different_digits(count: int, seed: int) -> tuple[Images, NDArray[np.uint8]]:
    """Return drawn digits, uint8 (count, 28, 28), no two of which are equal."""
    images, labels = draw_digits(count, seed)
    rng = np.random.default_rng(seed)
    images = images.copy()
    images[:, 2, 2:8] = rng.integers(1, 255, (count, 6), np.uint8)
    return images, labels


def png(image: Images) -> bytes:
    """Return a PNG file."""
    file = io.BytesIO()
    Image.fromarray(image).save(file, "PNG")
    return file.getvalue()


class Loop:
    """Runs of the learning loop, whose steps a test calls one after the other.

    `database` is a connection of the owner, and `pipeline` one of the pipeline's role.
    """

    def __init__(
        self, folder: Path, database: Database, pipeline: Database, task: str = TASK
    ) -> None:
        self.folder, self.database, self.task = folder, database, task
        self.pipeline = pipeline
        self.images_url = str(folder / "images")
        self.store = open_store(self.images_url)

    def start_run(self, outputs: Mapping[str, Any] | None = None, **params: Any) -> StepContext:
        """Insert a run and return the context of its first step. It ends the run before it."""
        self.database.query(
            "UPDATE pipeline_runs SET state = 'SUCCEEDED', finished_at = now() "
            "WHERE finished_at IS NULL"
        )
        token = str(uuid.uuid4())
        [row] = self.database.query(
            "INSERT INTO pipeline_runs (task, experiment_name, state, lease_token, heartbeat_at) "
            "VALUES (%s, 'e', 'RUNNING', %s, now()) RETURNING id",
            [self.task, token],
        )
        work = self.folder / "work" / str(row["id"])
        work.mkdir(parents=True)
        run = Run(row["id"], "retrain", self.task, "e", params, None, "api")
        settings = from_environment({"IMAGES_URL": self.images_url})
        return StepContext(run, "ingest", token, outputs or {}, work, settings, self.pipeline)

    def upload(self, data: bytes, name: str = "digits.zip") -> int:
        """Store an uploaded file as the API does, and return its id."""
        digest = hashlib.sha256(data).hexdigest()
        url = self.store.put(f"{digest[:2]}/{digest}.bin", data)
        [row] = self.database.query(
            "INSERT INTO uploads (task, digest, url, bytes, media_type, name, uploaded_by) "
            "VALUES (%s, %s, %s, %s, 'application/zip', %s, 'ann') RETURNING id",
            [self.task, digest, url, len(data), name],
        )
        return int(row["id"])

    def label(
        self,
        image: Images,
        label: str,
        source: str = "volunteered",
        original: bytes | None = b"",
    ) -> str:
        """Store a person's label of an image with its original, and return its digest.

        The original is a PNG file of the image by default. None stores none.
        """
        data = png(image) if original == b"" else original
        digest = hashlib.sha256(read_digit(png(image)).tobytes()).hexdigest()
        url = None if data is None else self.store.put(key_of(digest, "image/png"), data)
        self.database.query(
            """INSERT INTO images (id, digest, width, height, bytes, media_type, ink_share, mean,
                border, first_seen_at, original_url, stored_at)
            VALUES (left(%(digest)s, 32)::uuid, %(digest)s, 28, 28, 100, 'image/png', 0.1, 30, 0,
                now(), %(url)s, CASE WHEN %(url)s IS NOT NULL THEN now() END)
            ON CONFLICT (id) DO NOTHING""",
            {"digest": digest, "url": url},
        )
        self.database.query(
            "INSERT INTO labels (image_id, task, label, labelled_by, source) "
            "VALUES (left(%s, 32)::uuid, %s, %s, 'ann', %s)",
            [digest, self.task, label, source],
        )
        return digest

    def withdraw(self, digest: str) -> None:
        """Withdraw the current label of an image."""
        self.database.query(
            "UPDATE labels SET replaced_at = now() "
            "WHERE image_id = left(%s, 32)::uuid AND replaced_at IS NULL",
            [digest],
        )

    def rows(self, dataset_id: int) -> dict[str, dict[str, Any]]:
        """Return the images of a dataset by digest."""
        rows = self.database.query(
            "SELECT * FROM dataset_images WHERE dataset_id = %s", [dataset_id]
        )
        return {row["image_digest"]: row for row in rows}
