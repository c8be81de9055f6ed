"""Queries of imports: the outcome of each CSV file's last import, and the rejected rows."""

from inference.database.pool import Database, Record, utc

MAX_RAW_CHARACTERS = 2000  # of a rejected row's text
# The last import of a file that is gone has neither a digest nor an error.
SELECT_LATEST = f"""
SELECT file, digest, {utc("started_at")} AS started_at, {utc("finished_at")} AS finished_at,
       rows_read, rows_added, rows_updated, rows_unchanged, rows_missing, rows_rejected, error
FROM (SELECT DISTINCT ON (file) * FROM imports ORDER BY file, id DESC) latest
WHERE digest IS NOT NULL OR error IS NOT NULL ORDER BY file"""
SELECT_REJECTS = f"""
SELECT id, file, line, column_name AS "column", reason, left(raw, {MAX_RAW_CHARACTERS}) AS raw,
       {utc("first_seen_at")} AS first_seen_at, {utc("last_seen_at")} AS last_seen_at
FROM import_rejects r WHERE resolved_at IS NULL AND id > %s ORDER BY r.id LIMIT %s"""


class Imports:
    """Imports in the database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def latest(self) -> list[Record]:
        """Return the latest import of each file that still exists, by file.

        Raises DatabaseUnavailableError.
        """
        return self._database.query(SELECT_LATEST)

    def rejects(self, limit: int, after: int) -> tuple[list[Record], int | None]:
        """Return a page of unresolved rejects, and its last id if more follow, else None.

        The ids of the page are higher than `after`. Raises DatabaseUnavailableError.
        """
        rows = self._database.query(SELECT_REJECTS, [after, limit + 1])
        return rows[:limit], rows[limit - 1]["id"] if len(rows) > limit else None
