"""Assembly: a dataset as arrays, from its content and its base."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inference.preprocessing.canonical import SIDE, Pixels
from pipeline.data.base import NAME, Base, class_of_digit
from pipeline.data.rows import (
    AUDIT,
    BASE,
    CORRECTION,
    TEST,
    TRAIN,
    UPLOAD,
    VALIDATION,
    Content,
    Row,
)
from training.task import Task

SPLIT_NUMBERS = {TRAIN: 0, VALIDATION: 1}  # as training.split_dataset has them


@dataclass(frozen=True)
class Part:
    """Images uint8 (n, 28, 28), with class numbers uint8 (n,)."""

    images: Pixels
    labels: NDArray[np.uint8]


def base_test(base: Base, task: Task) -> Part:
    """Return the base dataset's test images whose digits have a class."""
    numbers = _class_numbers(task)[base.test_labels]
    kept = numbers >= 0
    return Part(base.test_images[kept], numbers[kept].astype(np.uint8))


def base_train(base: Base, task: Task, content: Content) -> tuple[Part, NDArray[np.uint8]]:
    """Return the base dataset's training images that have a class, and their split numbers.

    Images that a person relabeled have the person's label.
    """
    numbers = _class_numbers(task)[base.train_labels]
    number_of = {label: number for number, label in enumerate(task.labels)}
    for row in content.answered.values():
        if row.source == BASE and row.digest in base.train_index:
            numbers[base.train_index[row.digest]] = number_of[row.label]
    splits = np.array([SPLIT_NUMBERS[split] for split in base.splits], np.uint8)
    kept = numbers >= 0
    return Part(base.train_images[kept], numbers[kept].astype(np.uint8)), splits[kept]


def added(task: Task, content: Content, *splits: str) -> tuple[Part, list[Row]]:
    """Return the images that are not the base's, of these splits, with their rows, by digest."""
    number_of = {label: number for number, label in enumerate(task.labels)}
    rows = [row for row in content.rows() if row.source != BASE and row.split in splits]
    pixels = b"".join(content.pixels[row.digest] for row in rows)
    images = np.frombuffer(pixels, np.uint8).reshape(len(rows), SIDE, SIDE)
    labels = np.array([number_of[row.label] for row in rows], np.uint8)
    return Part(images, labels), rows


def count_splits(base: Base, task: Task, content: Content) -> Counter[str]:
    """Return the number of images of each split, with those of the base."""
    _, numbers = base_train(base, task, content)
    counts = Counter(row.split for row in content.rows() if row.source != BASE)
    for split, number in SPLIT_NUMBERS.items():
        counts[split] += int((numbers == number).sum())
    counts[TEST] += len(base_test(base, task).labels)
    return counts


def describe_sources(base: Base, task: Task, content: Content) -> dict[str, Any]:
    """Return datasets.sources: the number of images from each source, uploads by id."""
    rows: Sequence[Row] = content.rows()
    counts = Counter(row.source for row in rows)
    uploads = Counter(str(row.upload) for row in rows if row.source == UPLOAD)
    images = len(base_train(base, task, content)[1]) + len(base_test(base, task).labels)
    return {
        "base": {
            "name": NAME,
            "sha256": base.sha256,
            "images": images,
            "relabeled": counts[BASE],
        },
        "corrections": counts[CORRECTION],
        "audit": counts[AUDIT],
        "uploads": dict(sorted(uploads.items(), key=lambda item: int(item[0]))),
    }


def _class_numbers(task: Task) -> NDArray[np.int16]:
    """Return the class number of each digit 0 to 9, -1 for a digit without a class."""
    return np.array(
        [-1 if label is None else task.labels.index(label) for label in class_of_digit(task)],
        np.int16,
    )
