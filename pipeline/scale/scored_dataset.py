"""Scored dataset: the labeled images of the base dataset, and of a version that adds to it."""

from collections.abc import Mapping, Sequence

import numpy as np

from inference.originals.store import OriginalStore
from inference.preprocessing.digits import SIDE, pixel_digest
from pipeline.data import records, versions
from pipeline.data.base import Base, UnusableBaseError, class_of_digit, load_base
from pipeline.data.rows import Content
from pipeline.data.versions import StoredVersion, UnreadableVersionError
from pipeline.database import Database
from pipeline.scale.scored_images import Pixels, ScoredImages
from pipeline.scale.scored_models import UnusableRequestError
from training.task import InvalidTaskError, Task
from training.task import read as read_task

BASE, LATEST = "base", "latest"


def find_dataset(database: Database, task: str, wanted: str) -> tuple[str, list[StoredVersion]]:
    """Return the digest of a dataset, and the versions that its content consists of.

    `wanted` is a digest, `latest`, or `base` for MNIST without additions, whose digest is `base`.
    A task without a dataset has `base` as its latest one. Raises UnusableRequestError and
    psycopg2.Error.
    """
    if wanted == BASE:
        return BASE, []
    record = records.find_dataset(database, task, None if wanted == LATEST else wanted)
    if record is not None:
        return record["digest"], records.find_chain(database, record["id"])
    if wanted == LATEST:
        return BASE, []
    raise UnusableRequestError(
        f"The task {task} has no such dataset. See GET /api/v1.0/datasets for its datasets."
    )


def read_dataset(
    store: OriginalStore, task_name: str, chain: Sequence[StoredVersion]
) -> ScoredImages:
    """Return the images of a dataset: training and test images of MNIST, then added ones by digest.

    A digit that is no class of the task is left out. Raises UnusableRequestError and
    StorageUnavailableError.
    """
    try:
        task, base = read_task(task_name), load_base()
        content = versions.load(store, chain) if chain else Content(base.sha256)
    except (InvalidTaskError, UnusableBaseError, UnreadableVersionError) as error:
        raise UnusableRequestError(str(error)) from error
    if content.base_sha256 != base.sha256:
        raise UnusableRequestError(
            "The dataset adds to another base dataset than MNIST_PATH has. "
            "Set MNIST_PATH to the file that it was made with."
        )
    return _join(base, task, content)


def _join(base: Base, task: Task, content: Content) -> ScoredImages:
    pixels = np.concatenate([base.train_images, base.test_images])
    digests = [
        *_digests(base.train_images, base.train_index),
        *_digests(base.test_images, base.test_index),
    ]
    classes = class_of_digit(task)
    labels = [
        classes[digit] for digit in np.concatenate([base.train_labels, base.test_labels]).tolist()
    ]
    kept = [index for index, label in enumerate(labels) if label is not None]
    if len(kept) < len(labels):
        pixels, digests, labels = (
            pixels[kept],
            [digests[index] for index in kept],
            [labels[index] for index in kept],
        )
    place_of = {digest: index for index, digest in enumerate(digests)}
    added = []
    for row in content.rows():
        place = place_of.get(row.digest)
        if place is not None:
            labels[place] = row.label  # a person relabeled an image of MNIST
        else:
            added.append(row)
    new = np.frombuffer(b"".join(content.pixels[row.digest] for row in added), np.uint8)
    return ScoredImages(
        np.concatenate([pixels, new.reshape(-1, SIDE, SIDE)]),
        [*digests, *(row.digest for row in added)],
        [*labels, *(row.label for row in added)],
    )


def _digests(images: Pixels, index: Mapping[str, int]) -> list[str]:
    """Return the digest of each image. The index has no second image of equal pixels."""
    digests = [""] * len(images)
    for digest, number in index.items():
        digests[number] = digest
    return [
        digest or pixel_digest(np.ascontiguousarray(image))
        for digest, image in zip(digests, images, strict=True)
    ]
