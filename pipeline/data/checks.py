"""Checks: classes, contamination of the test images, and drift of a dataset against its base."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inference.preprocessing.canonical import INK_THRESHOLD, SIDE, Pixels
from inference.preprocessing.digits import pixel_digest
from pipeline.data.assembly import added, base_train
from pipeline.data.dataset import StoredDataset
from pipeline.data.rows import TEST, TRAIN, VALIDATION

MIN_PER_CLASS, FEW_PER_CLASS = 10, 100  # training images
MIN_DRIFT_IMAGES = 20
# Means that differ by half a standard deviation of the base's images are a medium effect (Cohen).
MAX_DRIFT = 0.5
INK = 128  # as images.ink_share has it


class InvalidDataError(Exception):
    """The dataset must not be trained on. The message says why and what to do."""


@dataclass(frozen=True)
class _Measure:
    """A number for each image."""

    name: str
    base: NDArray[np.float64]
    added: NDArray[np.float64]


def check_classes(dataset: StoredDataset) -> dict[str, int]:
    """Return the number of training images of each class. Raises InvalidDataError."""
    task = dataset.task
    if tuple(dataset.record["classes"]) != task.labels:
        raise InvalidDataError(
            f"The dataset has the classes {', '.join(dataset.record['classes'])}, but the task "
            f"{task.name} has {', '.join(task.labels)}. Train on the latest dataset."
        )
    base, splits = base_train(dataset.base, task, dataset.content)
    part, _ = added(task, dataset.content, TRAIN)
    counts = np.bincount(base.labels[splits == 0], minlength=len(task.labels))
    counts += np.bincount(part.labels, minlength=len(task.labels))
    per_class = dict(zip(task.labels, counts.tolist(), strict=True))
    label = min(per_class, key=lambda label: per_class[label])
    if per_class[label] < MIN_PER_CLASS:
        raise InvalidDataError(
            f"The class {label} has {per_class[label]} training images, and needs "
            f"{MIN_PER_CLASS}. Load images of this class."
        )
    return per_class


def check_contamination(dataset: StoredDataset) -> None:
    """Raise InvalidDataError if an added image is trained on and tested with.

    Added images of the split test are those of the audit and the uploads that are held out.
    """
    part, rows = added(dataset.task, dataset.content, TRAIN, VALIDATION)
    _, held_out = added(dataset.task, dataset.content, TEST)
    tested = dataset.base.test_index.keys() | {row.digest for row in held_out}
    for image, row in zip(part.images, rows, strict=True):
        if row.digest in tested or pixel_digest(image) in tested:
            raise InvalidDataError(
                f"The image {row.digest} is in the split {row.split} and among the test images. "
                "The dataset was changed by another program: restore it from a backup."
            )


def find_warnings(dataset: StoredDataset, per_class: Mapping[str, int]) -> list[str]:
    """Return sentences about what may harm the training: small classes, overlaps, drift."""
    warnings = [
        f"The class {label} has only {count} training images."
        for label, count in per_class.items()
        if count < FEW_PER_CLASS
    ]
    overlap = len(dataset.base.train_index.keys() & dataset.base.test_index.keys())
    if overlap:
        warnings.append(
            f"Training images of the base dataset that its test part also has: {overlap}."
        )
    conflicts = len(dataset.content.conflicts.keys() - dataset.content.answered.keys())
    if conflicts:
        warnings.append(f"Images left out because uploads label them differently: {conflicts}.")
    part, _ = added(dataset.task, dataset.content, TRAIN, VALIDATION, TEST)
    if len(part.labels) < MIN_DRIFT_IMAGES:
        return warnings
    for measure in _measures(dataset.base.train_images, part.images):
        spread = float(measure.base.std())
        before, after = float(measure.base.mean()), float(measure.added.mean())
        if spread > 0 and abs(after - before) > MAX_DRIFT * spread:
            warnings.append(
                f"{measure.name} of the added images is {after:.3g} on average, and "
                f"{before:.3g} in the base dataset."
            )
    return warnings


def _measures(base: Pixels, images: Pixels) -> list[_Measure]:
    return [
        _Measure("The share of ink", _ink_share(base), _ink_share(images)),
        _Measure("The longer side in pixels", _longer_side(base), _longer_side(images)),
    ]


def _ink_share(images: Pixels) -> NDArray[np.float64]:
    shares: NDArray[np.float64] = np.mean(images >= INK, axis=(1, 2))
    return shares


def _longer_side(images: Pixels) -> NDArray[np.float64]:
    ink = np.asarray(images >= INK_THRESHOLD)
    sides = []
    for axis in (1, 2):
        lines = np.any(ink, axis=axis)
        first, last = lines.argmax(axis=1), SIDE - 1 - lines[:, ::-1].argmax(axis=1)
        sides.append(np.where(lines.any(axis=1), last - first + 1, 0))
    return np.maximum(*sides).astype(np.float64)
