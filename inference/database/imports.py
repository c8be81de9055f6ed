"""What the last imports of the CSV files brought, and the rows that they could not use."""

from inference.database.pool import Database, Record, utc

MAX_RAW = 2000  # characters shown of a row's text
LATEST = f"""
SELECT DISTINCT ON (file) file, digest, {utc("started_at")} AS started_at, {utc("finished_at")} AS finished_at,
       rows_read, rows_added, rows_updated, rows_unchanged, rows_missing, rows_rejected, error
FROM imports ORDER BY file, id DESC"""
REJECTS = f"""
SELECT id, file, line, column_name AS "column", reason, left(raw, {MAX_RAW}) AS raw, {utc("first_seen_at")} AS first_seen_at,
       {utc("last_seen_at")} AS last_seen_at
FROM import_rejects r WHERE resolved_at IS NULL AND id > %s ORDER BY r.id LIMIT %s"""


class Imports:
    """The imports that the database knows."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def latest(self) -> list[Record]:
        """Return the latest import of each file, by file. Raises DatabaseUnavailableError."""
        return self._database.query(LATEST)

    def rejects(self, limit: int, after: int) -> tuple[list[Record], int | None]:
        """Return up to `limit` rejects that stand, of higher ids than `after`, and the id after
        which there are more, if any.

        Raises DatabaseUnavailableError.
        """
        rows = self._database.query(REJECTS, [after, limit + 1])
        return rows[:limit], rows[limit - 1]["id"] if len(rows) > limit else None
