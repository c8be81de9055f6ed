"""Import history: the table `imports`, which also tells whether a file must be read again."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import psycopg2.extensions

from db.csv.files import CsvFile, CsvFiles
from db.csv.reader import READER_VERSION
from db.staging import ImportResult

LAST_IMPORTS = """
SELECT DISTINCT ON (file)
       file, id, digest, reader_version, rows_read, rows_rejected, error
FROM imports ORDER BY file, id DESC
"""
# These three update the times of rows that an import left. The count of the first one tells
# whether the experiments are still as that import left them.
UPDATE_EXPERIMENT_TIMES = """
UPDATE experiments e SET seen_at = now() FROM imports i
WHERE i.id = ANY(%(ids)s) AND e.source_file = i.file AND e.seen_at = i.seen_at
"""
UPDATE_REJECT_TIMES = """
UPDATE import_rejects r SET last_seen_at = now() FROM imports i
WHERE i.id = ANY(%(ids)s)
  AND r.file = i.file AND r.last_seen_at = i.seen_at AND r.resolved_at IS NULL
"""
UPDATE_IMPORT_TIMES = """
UPDATE imports SET seen_at = now(), finished_at = clock_timestamp() WHERE id = ANY(%(ids)s)
"""
UPDATE_TIMES_OF_ONE = """
UPDATE imports
SET finished_at = clock_timestamp(), seen_at = CASE WHEN error IS NULL THEN now() END
WHERE id = %(id)s
"""
INSERT_IMPORT = """
INSERT INTO imports (file, digest, reader_version, started_at, finished_at, seen_at, rows_read,
                     rows_added, rows_updated, rows_unchanged, rows_missing, rows_rejected, error)
VALUES (%(file)s, %(digest)s, %(reader_version)s, %(started_at)s, clock_timestamp(),
        CASE WHEN %(error)s::text IS NULL THEN now() END,
        %(read)s, %(added)s, %(updated)s, %(unchanged)s, %(missing)s, %(rejected)s, %(error)s)
"""


@dataclass(frozen=True)
class LastImport:
    """The latest row of a file in `imports`."""

    id: int
    digest: str | None
    reader_version: int | None
    read: int
    rejected: int
    error: str | None

    @property
    def is_gone(self) -> bool:
        """Whether the file did not exist at that import."""
        return self.digest is None and self.error is None


def read_last_imports(cursor: psycopg2.extensions.cursor) -> dict[str, LastImport]:
    """Return the latest import of every file by its name."""
    cursor.execute(LAST_IMPORTS)
    return {str(file): LastImport(*columns) for file, *columns in cursor}


def confirm_unchanged(
    cursor: psycopg2.extensions.cursor,
    files: CsvFiles,
    digests: Mapping[str, str | None],
    last_imports: Mapping[str, LastImport],
) -> dict[str, ImportResult] | None:
    """Update times and return the results, or None when the files must be read.

    They must be read when a file or its reader has changed, appeared, disappeared or failed, or
    when the experiments are not as the last import left them.
    """
    found = {file.name: last_imports.get(file.name) for file in files}
    same = [
        last
        for name, last in found.items()
        if last and digests[name] is not None and last.digest == digests[name]
    ]
    existing = {name for name, last in last_imports.items() if not last.is_gone}
    is_readable = all(last.error is None and last.reader_version == READER_VERSION for last in same)
    if files.error or len(same) < len(found) or existing != set(found) or not is_readable:
        return None
    ids = {"ids": [last.id for last in same]}
    cursor.execute("SAVEPOINT unchanged")
    cursor.execute(UPDATE_EXPERIMENT_TIMES, ids)
    if cursor.rowcount != sum(last.read - last.rejected for last in same):
        cursor.execute("ROLLBACK TO unchanged")
        return None
    cursor.execute(UPDATE_REJECT_TIMES, ids)
    cursor.execute(UPDATE_IMPORT_TIMES, ids)
    return {
        name: ImportResult(last.read, unchanged=last.read - last.rejected, rejected=last.rejected)
        for name, last in found.items()
        if last
    }


def record_import(
    cursor: psycopg2.extensions.cursor,
    file: str,
    result: ImportResult,
    digest: str | None,
    started_at: datetime,
    last: LastImport | None,
) -> None:
    """Insert a row into `imports`, or update the times of the last one if nothing is new."""
    has_changes = result.added or result.updated or result.missing
    current = (digest, READER_VERSION, result.read, result.rejected, result.error)
    if (
        last
        and not has_changes
        and current == (last.digest, last.reader_version, last.read, last.rejected, last.error)
    ):
        cursor.execute(UPDATE_TIMES_OF_ONE, {"id": last.id})
        return
    fields = {
        "file": file,
        "digest": digest,
        "reader_version": READER_VERSION,
        "started_at": started_at,
    }
    cursor.execute(INSERT_IMPORT, fields | result.__dict__)


def file_digest(file: CsvFile) -> str | None:
    """Return the SHA-256 of a file as hex, or None if it is not a readable regular file."""
    try:
        if not file.path.is_file():
            return None
        with file.path.open("rb") as content:
            return hashlib.file_digest(content, "sha256").hexdigest()
    except OSError:
        return None
