"""People's labels: the current ones of a task, with the canonical pixels of their images.

Pixels come from an earlier version of the dataset, or from the stored original, which is
preprocessed again. An image without either is unavailable.
"""

from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass

from inference.errors import UnreadableImageError, UnsupportedImageError
from inference.originals.keys import key_in
from inference.originals.store import OriginalStore
from inference.preprocessing.digits import pixel_digest, read_digit
from pipeline.data.merge import PersonLabel, source_of
from pipeline.database import Database, Record

SELECT_LABELS = """
SELECT i.digest, l.label, l.source, i.original_url, i.deleted_at IS NOT NULL AS is_deleted
FROM labels l JOIN images i ON i.id = l.image_id
WHERE l.task = %s AND l.replaced_at IS NULL ORDER BY i.digest
"""
IMAGES_AT_ONCE = 64
MAX_ORIGINAL_BYTES = 16 * 2**20
# Reasons of unavailable labels, as the outputs of the step ingest state them.
OTHER_CLASS = "the label is not a class of the task"
DELETED = "the original was deleted when its retention time ended"
NOT_STORED = "the original is not stored"
MISSING = "the original is missing in the store"
UNREADABLE = "the original cannot be decoded"
CHANGED = "the original now has other pixels, because the preprocessing has changed"


class _UnavailableError(Exception):
    """An image's pixels are not available. The message is one of the reasons above."""


@dataclass(frozen=True)
class CurrentLabels:
    """Labels with pixels, and the number of the others by reason."""

    labels: Sequence[PersonLabel]
    unavailable: Mapping[str, int]


def read_labels(
    database: Database,
    store: OriginalStore,
    task: str,
    classes: Collection[str],
    known: Callable[[str], bytes | None],
    on_progress: Callable[[int], None] = lambda _: None,
) -> CurrentLabels:
    """Return the current labels of a task.

    Args:
        database: connection to Postgres.
        store: store of the originals.
        task: name of the task.
        classes: its labels.
        known: returns the 784 pixels of an image that needs no original, from its digest.
        on_progress: called with the number of labels so far.

    Raises:
        StorageUnavailableError: the store cannot be read at the moment.
        psycopg2.Error: Postgres is unavailable.

    """
    labels: list[PersonLabel] = []
    unavailable: Counter[str] = Counter()
    rows = database.query(SELECT_LABELS, [task])
    for start in range(0, len(rows), IMAGES_AT_ONCE):
        batch = rows[start : start + IMAGES_AT_ONCE]
        pixels_of = {row["digest"]: known(row["digest"]) for row in batch}
        originals = _read_originals(store, [row for row in batch if not pixels_of[row["digest"]]])
        for row in batch:
            try:
                if row["label"] not in classes:
                    raise _UnavailableError(OTHER_CLASS)
                pixels = pixels_of[row["digest"]] or _pixels(row, originals)
            except _UnavailableError as error:
                unavailable[str(error)] += 1
            else:
                source = source_of(row["source"])
                labels.append(PersonLabel(row["digest"], row["label"], source, pixels))
        on_progress(start + len(batch))
    return CurrentLabels(labels, unavailable)


def _read_originals(store: OriginalStore, rows: Sequence[Record]) -> Mapping[str, bytes]:
    """Return the originals of images, by key. Raises StorageUnavailableError."""
    keys = [key_in(row["original_url"]) for row in rows if row["original_url"] is not None]
    result = store.read_many(keys, MAX_ORIGINAL_BYTES)
    for failure in result.failures.values():
        raise failure
    return result.objects


def _pixels(row: Record, originals: Mapping[str, bytes]) -> bytes:
    """Return the canonical pixels of an image. Raises _UnavailableError."""
    if row["original_url"] is None:
        raise _UnavailableError(DELETED if row["is_deleted"] else NOT_STORED)
    original = originals.get(key_in(row["original_url"]))
    if original is None:
        raise _UnavailableError(MISSING)
    try:
        pixels = read_digit(original)
    except (UnreadableImageError, UnsupportedImageError) as error:
        raise _UnavailableError(UNREADABLE) from error
    if pixel_digest(pixels) != row["digest"]:
        raise _UnavailableError(CHANGED)
    return pixels.tobytes()
