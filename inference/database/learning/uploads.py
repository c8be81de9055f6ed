"""Queries of uploads: files of labeled images, one row per task and content."""

from dataclasses import asdict, dataclass

from inference.database.learning.errors import UnknownUploadError
from inference.database.pool import Database, Record, utc

COLUMNS = f"""
id AS upload_id, task, digest, bytes, media_type, name, uploaded_by,
{utc("uploaded_at")} AS uploaded_at, state, reason, images, rejected
"""
SELECT_SAME = f"SELECT {COLUMNS} FROM uploads WHERE task = %s AND digest = %s"
# A repeated statement finds the row of the first one.
INSERT = f"""
INSERT INTO uploads (task, digest, url, bytes, media_type, name, uploaded_by)
VALUES (%(task)s, %(digest)s, %(url)s, %(bytes)s, %(media_type)s, %(name)s, %(uploaded_by)s)
ON CONFLICT (task, digest) DO NOTHING RETURNING {COLUMNS}
"""
SELECT_PAGE = f"""
SELECT {COLUMNS} FROM uploads
WHERE (%(task)s IS NULL OR task = %(task)s) AND (%(state)s IS NULL OR state = %(state)s)
      AND (%(before)s IS NULL OR id < %(before)s)
ORDER BY id DESC LIMIT %(limit)s
"""
SELECT_ONE = f"""
SELECT {COLUMNS}, coalesce(rejects, '[]') AS rejects,
       ARRAY(SELECT d.digest FROM datasets d
             WHERE d.task = u.task AND d.sources -> 'uploads' ? u.id::text ORDER BY d.id
       ) AS datasets
FROM uploads u WHERE id = %s
"""


@dataclass(frozen=True)
class NewUpload:
    """A stored file; `digest` is its SHA-256 in hex and `url` its object."""

    task: str
    digest: str
    url: str
    bytes: int
    media_type: str
    name: str
    uploaded_by: str


class Uploads:
    """Uploads in the database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def find(self, task: str, digest: str) -> Record | None:
        """Return the upload of a content, None without one. Raises DatabaseUnavailableError."""
        rows = self._database.query(SELECT_SAME, [task, digest])
        return rows[0] if rows else None

    def add(self, upload: NewUpload) -> tuple[Record, bool]:
        """Add an upload unless its task has the content; return its row, and whether it is new.

        Raises DatabaseUnavailableError.
        """
        added = self._database.query(INSERT, asdict(upload))
        if added:
            return added[0], True
        [row] = self._database.query(SELECT_SAME, [upload.task, upload.digest])
        return row, False

    def page(
        self, task: str | None, state: str | None, limit: int, before: int | None
    ) -> tuple[list[Record], int | None]:
        """Return a page of uploads, latest first, and its last id if more follow, else None.

        The ids of the page are lower than `before`. Raises DatabaseUnavailableError.
        """
        arguments = {"task": task, "state": state, "before": before, "limit": limit + 1}
        rows = self._database.query(SELECT_PAGE, arguments)
        return rows[:limit], rows[limit - 1]["upload_id"] if len(rows) > limit else None

    def one(self, upload_id: int) -> Record:
        """Return an upload with its rejects, and the digests of the datasets that have it.

        Raises UnknownUploadError and DatabaseUnavailableError.
        """
        rows = self._database.query(SELECT_ONE, [upload_id])
        if not rows:
            raise UnknownUploadError
        return rows[0]
