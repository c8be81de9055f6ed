"""Rows of drift_references: the current reference of each path of a version."""

import json
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from psycopg2.extensions import cursor as Cursor  # noqa: N812

from monitoring.detector import InvalidReferenceError, PathReference
from monitoring.detector.novelty import MIN_SPREAD

TEST, TRAFFIC = "test", "traffic"
CURRENT = """
SELECT id, model_version_id::text, path, origin, digest FROM drift_references
WHERE model_version_id = ANY (%s::uuid[]) AND replaced_at IS NULL
"""
SKETCH = "SELECT sketch FROM drift_references WHERE id = %s"
REPLACE = """
UPDATE drift_references SET replaced_at = clock_timestamp()
WHERE model_version_id = %s AND path = %s AND replaced_at IS NULL
"""
ADD = """
INSERT INTO drift_references (task, model_version_id, path, origin, images, features, means,
    deviations, label_counts, test_accuracy, sketch, digest, created_at, created_by)
VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, clock_timestamp(), %s) RETURNING id
"""


class StoredReference(NamedTuple):
    """Current reference of a path."""

    id: int
    origin: str
    digest: str


class NewReference(NamedTuple):
    """Reference to store."""

    task: str
    version_id: str
    path: str
    origin: str
    created_by: str
    reference: PathReference


class References:
    """References by id. They never change, so each is read once."""

    def __init__(self) -> None:
        self._known: dict[int, PathReference] = {}

    def get(self, cursor: Cursor, reference_id: int) -> PathReference:
        """Return a stored reference. Raises InvalidReferenceError and psycopg2.Error."""
        if reference_id not in self._known:
            cursor.execute(SKETCH, [reference_id])
            [(sketch,)] = cursor.fetchall()
            self._known[reference_id] = PathReference.from_json(sketch)
        return self._known[reference_id]

    def keep(self, ids: Sequence[int]) -> None:
        """Forget all other references."""
        self._known = {key: value for key, value in self._known.items() if key in ids}

    def current(
        self, cursor: Cursor, versions: Sequence[str]
    ) -> dict[tuple[str, str], StoredReference]:
        """Return the current references that can be read, by version and path.

        Raises psycopg2.Error.
        """
        cursor.execute(CURRENT, [list(versions)])
        found = {}
        for identifier, version, path, origin, digest in cursor.fetchall():
            try:
                self.get(cursor, identifier)
            except InvalidReferenceError:  # of an earlier version of the detector
                cursor.execute(REPLACE, [version, path])
            else:
                found[version, path] = StoredReference(identifier, origin, digest)
        return found


def add_reference(cursor: Cursor, new: NewReference) -> int:
    """Store a reference in place of the current one and return its id. Raises psycopg2.Error."""
    reference = new.reference
    shape = reference.novelty_model.pooled
    deviations = np.maximum(shape.spread - MIN_SPREAD * (np.abs(shape.mean) + 1), 0)
    counts = reference.shares * (reference.images + reference.classes) - 1
    cursor.execute(REPLACE, [new.version_id, new.path])
    arguments = [
        new.task,
        new.version_id,
        new.path,
        new.origin,
        reference.images,
        list(reference.feature_names),
        shape.mean.tolist(),
        deviations.tolist(),
        np.rint(counts).astype(int).tolist(),
        reference.test_accuracy,
        json.dumps(reference.to_json()),
        reference.digest,
        new.created_by,
    ]
    cursor.execute(ADD, arguments)
    [(identifier,)] = cursor.fetchall()
    return int(identifier)
