"""Rows: the images of a dataset beyond its base, with label, split, weight and origin.

An image is identified by its digest. It has one split in all versions: the one that an earlier
version gave it, else that of its group or its own digest.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

TRAIN, VALIDATION, TEST = "train", "validation", "test"
TEST_BELOW, VALIDATION_BELOW = 15, 23  # percent
BASE, UPLOAD, CORRECTION, AUDIT = "base", "upload", "correction", "audit"
# Measured with 300 digits of a new pen beside 20,000 others: a weight of 3 has most of the gain.
PERSON_WEIGHT = 3


@dataclass(frozen=True)
class Row:
    """A labeled image.

    Attributes:
        digest: sha256 (hex) of its canonical pixels.
        label: a class of the task.
        split: train, validation or test. Images of the split test are never trained on.
        weight: number of times that training uses it in an epoch, 1 outside of train.
        source: upload, correction, audit (a label that was asked for), or base (a person relabeled
            an image of the base dataset).
        group: images of a group share a split.
        place: its place in the upload, for messages.
        upload: id of its upload, None for a person's label.

    """

    digest: str
    label: str
    split: str
    weight: int
    source: str
    group: str | None = None
    place: str = ""
    upload: int | None = None


@dataclass(frozen=True)
class Content:
    """Everything that a dataset adds to its base.

    Attributes:
        base_sha256: sha256 of the base dataset.
        uploaded: rows of uploads, by digest.
        answered: rows of people's labels, by digest. They replace uploaded rows of the same image
            as long as they stand.
        conflicts: sentences about images that uploads label differently, by digest. Such an image
            is left out.
        pixels: canonical pixels of all rows, 784 bytes each, by digest.

    """

    base_sha256: str
    uploaded: Mapping[str, Row] = field(default_factory=dict)
    answered: Mapping[str, Row] = field(default_factory=dict)
    conflicts: Mapping[str, str] = field(default_factory=dict)
    pixels: Mapping[str, bytes] = field(default_factory=dict)

    def rows(self) -> list[Row]:
        """Return one row for each image, sorted by digest."""
        rows = {**self.uploaded, **self.answered}
        return [rows[digest] for digest in sorted(rows)]


def split_of(digest: str, group: str | None) -> str:
    """Return the split of a new image."""
    key = digest if group is None else hashlib.sha256(group.encode()).hexdigest()
    percent = int(key[:8], 16) % 100
    if percent < TEST_BELOW:
        return TEST
    return VALIDATION if percent < VALIDATION_BELOW else TRAIN


def weight_of(source: str, split: str) -> int:
    """Return the weight of an image. Validation and test count each image once."""
    return PERSON_WEIGHT if split == TRAIN and source in (CORRECTION, AUDIT) else 1


def dataset_digest(base_sha256: str, rows: Sequence[Row]) -> str:
    """Return the sha256 (hex) that identifies a dataset.

    It is that of the line `base SHA256` and the sorted lines `image_digest label split weight`.
    """
    lines = sorted(f"{row.digest} {row.label} {row.split} {row.weight}" for row in rows)
    text = "\n".join([f"base {base_sha256}", *lines]) + "\n"
    return hashlib.sha256(text.encode()).hexdigest()
