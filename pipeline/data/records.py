"""Records: the SQL of datasets and uploads. Writes run in a transaction that holds the lease."""

import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from psycopg2.extensions import cursor as Cursor  # noqa: N812
from psycopg2.extras import execute_values

from pipeline.data.readers.limits import MAX_LISTED_REJECTS
from pipeline.data.rows import Row
from pipeline.data.upload_reader import Reject
from pipeline.data.versions import StoredVersion
from pipeline.database import Database, Record

COLUMNS = "id, digest, url, images, train, validation, test, classes, sources"
SELECT_LATEST = f"SELECT {COLUMNS} FROM datasets WHERE task = %s ORDER BY id DESC LIMIT 1"
SELECT_BY_DIGEST = f"SELECT {COLUMNS} FROM datasets WHERE task = %s AND digest = %s"
SELECT_BY_ID = f"SELECT {COLUMNS} FROM datasets WHERE id = %s"
SELECT_CHAIN = """
WITH RECURSIVE chain AS (
    SELECT id, parent_id, digest, url, 0 AS depth FROM datasets WHERE id = %s
    UNION ALL
    SELECT d.id, d.parent_id, d.digest, d.url, c.depth + 1
    FROM chain c JOIN datasets d ON d.id = c.parent_id
)
SELECT id, digest, url FROM chain ORDER BY depth DESC
"""
SELECT_SPLITS = """
SELECT DISTINCT ON (i.image_digest) i.image_digest, i.split
FROM dataset_images i JOIN datasets d ON d.id = i.dataset_id
WHERE d.task = %s AND i.image_digest = ANY(%s) ORDER BY i.image_digest, d.id
"""
SELECT_UPLOADS = """
SELECT id, digest, url, name FROM uploads WHERE task = %s AND state = 'RECEIVED' ORDER BY id
"""
INSERT_DATASET = """
INSERT INTO datasets (task, digest, parent_id, url, bytes, images, train, validation, test, classes,
    sources, created_by)
VALUES (%(task)s, %(digest)s, %(parent_id)s, %(url)s, %(bytes)s, %(images)s, %(train)s,
    %(validation)s, %(test)s, %(classes)s, %(sources)s, %(created_by)s)
ON CONFLICT (task, digest) DO NOTHING RETURNING id
"""
INSERT_IMAGES = """
INSERT INTO dataset_images (dataset_id, image_digest, label, split, source, weight, group_key)
VALUES %s
"""
FINISH_UPLOAD = """
UPDATE uploads SET state = %s, reason = %s, images = %s, rejected = %s, rejects = %s
WHERE id = %s AND state = 'RECEIVED'
"""
REJECT_LATER = """
UPDATE uploads SET images = greatest(images - %(count)s, 0), rejected = rejected + %(count)s,
    rejects = jsonb_path_query_array(%(rejects)s || coalesce(rejects, '[]'), '$[0 to 99]')
WHERE id = %(id)s AND state = 'ACCEPTED'
"""
USE_DATASET = "UPDATE pipeline_runs SET dataset_id = %s WHERE id = %s"


@dataclass(frozen=True)
class NewDataset:
    """A dataset to insert, with its rows. `images` is the sum of the three parts."""

    task: str
    digest: str
    parent_id: int | None
    url: str
    bytes: int
    images: int
    train: int
    validation: int
    test: int
    classes: Sequence[str]
    sources: Mapping[str, Any]
    created_by: str
    rows: Sequence[Row]


@dataclass(frozen=True)
class FinishedUpload:
    """State of an upload after it was read. `reason` is None for an accepted one."""

    id: int
    reason: str | None
    images: int
    rejected: int
    rejects: Sequence[Reject]


def find_dataset(database: Database, task: str, digest: str | None) -> Record | None:
    """Return a task's dataset with this digest, or its latest one."""
    if digest is None:
        rows = database.query(SELECT_LATEST, [task])
    else:
        rows = database.query(SELECT_BY_DIGEST, [task, digest])
    return rows[0] if rows else None


def dataset_by_id(database: Database, dataset_id: int) -> Record:
    """Return a dataset."""
    return database.query(SELECT_BY_ID, [dataset_id])[0]


def find_chain(database: Database, dataset_id: int) -> list[StoredVersion]:
    """Return a dataset and the versions before it, the first one first."""
    return [StoredVersion(**row) for row in database.query(SELECT_CHAIN, [dataset_id])]


def find_splits(database: Database, task: str, digests: Collection[str]) -> dict[str, str]:
    """Return the splits that earlier datasets of the task gave to images, by digest."""
    rows = database.query(SELECT_SPLITS, [task, list(digests)]) if digests else []
    return {row["image_digest"]: row["split"] for row in rows}


def received_uploads(database: Database, task: str) -> list[Record]:
    """Return the uploads of a task that no run has read, with id, digest, url and name."""
    return database.query(SELECT_UPLOADS, [task])


def store_dataset(cursor: Cursor, dataset: NewDataset) -> tuple[int, bool]:
    """Insert a dataset with its rows, unless it exists. Return its id and whether it is new."""
    values = asdict(dataset) | {
        "classes": json.dumps(dataset.classes),
        "sources": json.dumps(dataset.sources),
    }
    cursor.execute(INSERT_DATASET, values)
    new: Any = cursor.fetchone()
    if new is None:
        cursor.execute(SELECT_BY_DIGEST, [dataset.task, dataset.digest])
        existing: Any = cursor.fetchone()
        return int(existing["id"]), False
    execute_values(
        cursor,
        INSERT_IMAGES,
        [
            (new["id"], row.digest, row.label, row.split, row.source, row.weight, row.group)
            for row in dataset.rows
        ],
        page_size=1000,
    )
    return int(new["id"]), True


def finish_upload(cursor: Cursor, upload: FinishedUpload) -> None:
    """Store the state of an upload, unless another run did."""
    state = "ACCEPTED" if upload.reason is None else "REJECTED"
    cursor.execute(
        FINISH_UPLOAD,
        [
            state,
            upload.reason,
            upload.images,
            upload.rejected,
            _rejects(upload.rejects),
            upload.id,
        ],
    )


def reject_later(cursor: Cursor, upload: int, rejects: Sequence[Reject]) -> None:
    """Add rejects to an upload that was accepted before."""
    cursor.execute(
        REJECT_LATER, {"id": upload, "count": len(rejects), "rejects": _rejects(rejects)}
    )


def use_dataset(cursor: Cursor, run_id: int, dataset_id: int) -> None:
    """Store which dataset a run has."""
    cursor.execute(USE_DATASET, [dataset_id, run_id])


def _rejects(rejects: Sequence[Reject]) -> str:
    return json.dumps([asdict(reject) for reject in rejects[:MAX_LISTED_REJECTS]])
