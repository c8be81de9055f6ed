"""Image sets of the gate: base-test, audit and corrections, with labels and canonical pixels.

A label belongs to audit only if it answers a request. Which images are asked about is drawn at
random, so the person who labels does not choose them. Requests without a valid answer count, too.
"""

import hashlib
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from inference.errors import UnreadableImageError, UnsupportedImageError
from inference.originals.keys import key_in
from inference.originals.store import OriginalStore
from inference.preprocessing.canonical import SIDE
from inference.preprocessing.digits import pixel_digest, read_digit
from pipeline.database import Database, Record
from pipeline.gate.evidence import AUDIT, CORRECTIONS

Images = NDArray[np.uint8]

MAX_ORIGINAL_BYTES = 16 * 2**20  # a longer file is cut off, and unreadable
BLOCK = 32  # originals in memory at once

# A request of a run counts for the two models that disagreed about it. Other models would be tested
# on images that are hard for one of those two.
ASKED = """
SELECT DISTINCT ON (i.digest) i.digest, i.original_url, l.label, r.why
FROM label_requests r
JOIN images i ON i.id = r.image_id
LEFT JOIN labels l ON l.id = r.answered_by_label_id AND l.replaced_at IS NULL
    AND l.image_id = r.image_id AND l.task = r.task
WHERE r.task = %(task)s AND i.warnings = '{}'
  AND (r.why = 'random' OR (r.why = 'disagreement' AND EXISTS (
      SELECT FROM promotion_decisions d
      WHERE d.run_id = r.run_id AND d.champion_digest = %(champion)s
        AND d.candidate_digest = %(candidate)s)))
  AND r.asked_at <= coalesce((
      SELECT min(d.at) FROM promotion_decisions d
      WHERE d.champion_digest = %(champion)s AND d.candidate_digest = %(candidate)s
        AND (d.settings ->> 'closes_audit')::boolean), 'infinity')
  AND NOT EXISTS (
      SELECT FROM dataset_images x
      WHERE x.dataset_id = %(dataset)s AND x.image_digest = i.digest AND x.split <> 'test')
ORDER BY i.digest, l.id NULLS LAST
"""
VOLUNTEERED = """
SELECT i.digest, i.original_url, l.label
FROM labels l JOIN images i ON i.id = l.image_id
WHERE l.task = %(task)s AND l.replaced_at IS NULL AND i.warnings = '{}'
  AND NOT EXISTS (
      SELECT FROM dataset_images x
      WHERE x.dataset_id = %(dataset)s AND x.image_digest = i.digest AND x.split <> 'test')
ORDER BY i.digest
"""


@dataclass(frozen=True)
class LabeledImages:
    """A set of n images: digests, labels, and canonical pixels, uint8 of shape (n, 28, 28)."""

    name: str
    digests: tuple[str, ...]
    labels: tuple[str, ...]
    pixels: Images

    @property
    def set_digest(self) -> str:
        """Sha256 (hex) of the lines `image_digest label`, in the order of the set."""
        lines = "".join(
            f"{digest} {label}\n" for digest, label in zip(self.digests, self.labels, strict=True)
        )
        return hashlib.sha256(lines.encode()).hexdigest()


@dataclass(frozen=True)
class AskedImages:
    """Images whose label was asked for.

    Attributes:
        answered: those with a valid answer.
        open_pixels: those without one, uint8 of shape (n, 28, 28).
        unseen: number of requests without an answer whose original is gone, and on which the two
            models are known to disagree.

    """

    answered: LabeledImages
    open_pixels: Images
    unseen: int


@dataclass(frozen=True)
class Pair:
    """The models of a comparison, by the sha256 of model.tflite, and the candidate's data.

    `trained` holds the digests of the base dataset's training images.
    """

    task: str
    dataset_id: int
    champion: str
    candidate: str
    trained: Collection[str]

    def arguments(self) -> dict[str, object]:
        """Return the arguments of the queries."""
        return {
            "task": self.task,
            "dataset": self.dataset_id,
            "champion": self.champion,
            "candidate": self.candidate,
        }


def read_asked(database: Database, store: OriginalStore, pair: Pair) -> AskedImages:
    """Return the images of the audit set that the candidate was not trained on.

    Raises psycopg2.Error and StorageUnavailableError.
    """
    rows = _untrained(database.query(ASKED, pair.arguments()), pair)
    pixels = dict(read_pixels(store, rows))
    open_rows = [row for row in rows if row["label"] is None]
    return AskedImages(
        _labeled(AUDIT, rows, pixels),
        _stacked([pixels[row["digest"]] for row in open_rows if row["digest"] in pixels]),
        sum(row["why"] == "disagreement" and row["digest"] not in pixels for row in open_rows),
    )


def read_corrections(
    database: Database, store: OriginalStore, pair: Pair, audit: Collection[str]
) -> LabeledImages:
    """Return the labeled images that are not of the audit set, without those of the training.

    `audit` holds the digests of the audit set. Raises psycopg2.Error and StorageUnavailableError.
    """
    rows = [
        row
        for row in _untrained(database.query(VOLUNTEERED, pair.arguments()), pair)
        if row["digest"] not in audit
    ]
    return _labeled(CORRECTIONS, rows, dict(read_pixels(store, rows)))


def read_pixels(store: OriginalStore, rows: Sequence[Record]) -> Iterator[tuple[str, Images]]:
    """Yield digest and canonical pixels of the originals that are stored, in the order of the rows.

    Each row has a digest and an original_url. An original that is missing, unreadable or no longer
    read as the same pixels is left out. Raises StorageUnavailableError.
    """
    stored = [row for row in rows if row["original_url"] is not None]
    for start in range(0, len(stored), BLOCK):
        keys = {row["digest"]: key_in(row["original_url"]) for row in stored[start : start + BLOCK]}
        result = store.read_many(list(keys.values()), MAX_ORIGINAL_BYTES)
        for failure in result.failures.values():
            raise failure
        for digest, key in keys.items():
            pixels = _decode(result.objects.get(key))
            if pixels is not None and pixel_digest(pixels) == digest:
                yield digest, pixels


def _decode(data: bytes | None) -> Images | None:
    if data is None:
        return None
    try:
        return read_digit(data)
    except (UnsupportedImageError, UnreadableImageError):
        return None


def _untrained(rows: Sequence[Record], pair: Pair) -> list[Record]:
    return [row for row in rows if row["digest"] not in pair.trained]


def _labeled(name: str, rows: Sequence[Record], pixels: Mapping[str, Images]) -> LabeledImages:
    kept = [row for row in rows if row["label"] is not None and row["digest"] in pixels]
    return LabeledImages(
        name,
        tuple(row["digest"] for row in kept),
        tuple(row["label"] for row in kept),
        _stacked([pixels[row["digest"]] for row in kept]),
    )


def _stacked(images: Sequence[Images]) -> Images:
    return np.stack(images) if images else np.empty((0, SIDE, SIDE), np.uint8)
