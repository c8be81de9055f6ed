"""Rows and rejects -> tables.

One call is one transaction: after it the tables say what the files say, or nothing changed.
"""

import hashlib
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime

import psycopg2.extensions

from db.csv_files import CsvFile, CsvFiles
from db.csv_reader import READER_VERSION
from db.staging import STAGE, ImportResult, stage

CHANGED = """
CREATE TEMPORARY TABLE changed ON COMMIT DROP AS
SELECT s.name, s.file, e.id IS NULL AS is_new FROM staged_rows s LEFT JOIN experiments e USING (name)
WHERE e.id IS NULL OR e.content_digest <> s.digest;
ANALYZE staged_rows, staged_curves (name, metric), changed
"""
COUNT_CHANGED = "SELECT file, count(*) FILTER (WHERE is_new), count(*) FILTER (WHERE NOT is_new) FROM changed GROUP BY file"
UPDATE = """
UPDATE experiments e
SET task = s.task, learning_rate = s.learning_rate, momentum = s.momentum, params = s.params, metrics = s.metrics,
    source_file = s.file, source_line = s.line, content_digest = s.digest, updated_at = now(), seen_at = now(), missing_since = NULL
FROM staged_rows s JOIN changed c USING (name) WHERE e.name = s.name AND NOT c.is_new
"""
SEEN = """
UPDATE experiments e SET seen_at = now(), missing_since = NULL, source_file = s.file, source_line = s.line
FROM staged_rows s WHERE e.name = s.name AND NOT EXISTS (SELECT FROM changed c WHERE c.name = s.name)
"""
INSERT = """
INSERT INTO experiments (name, task, learning_rate, momentum, params, metrics, source_file, source_line, content_digest)
SELECT s.name, s.task, s.learning_rate, s.momentum, s.params, s.metrics, s.file, s.line, s.digest
FROM staged_rows s JOIN changed c USING (name) WHERE c.is_new ORDER BY s.position
"""
DROP_CURVES = """
DELETE FROM metric_curves USING experiments e JOIN changed c USING (name) WHERE experiment_id = e.id AND NOT c.is_new
"""
INSERT_CURVES = """
INSERT INTO metric_curves (experiment_id, metric, steps, metric_values, best_value, best_step)
SELECT e.id, s.metric, s.steps, s.metric_values, s.best_value, s.best_step
FROM staged_curves s JOIN changed c USING (name) JOIN experiments e USING (name)
"""
# An experiment whose row is in a file but rejected keeps its last good content and is not missing.
MISSING = """
UPDATE experiments SET missing_since = now()
WHERE source_file = ANY(%(settled)s) AND missing_since IS NULL
  AND name NOT IN (SELECT name FROM staged_rows UNION ALL SELECT name FROM staged_rejects WHERE name IS NOT NULL)
RETURNING source_file
"""
REJECTS = """
INSERT INTO import_rejects (file, line, column_name, reason, raw)
SELECT file, line, column_name, reason, raw FROM staged_rejects WHERE reason IS NOT NULL
ON CONFLICT (file, line, md5(coalesce(column_name, '') || chr(10) || reason || chr(10) || raw))
DO UPDATE SET last_seen_at = now(), resolved_at = NULL
"""
RESOLVE = """
UPDATE import_rejects SET resolved_at = now() WHERE file = ANY(%(settled)s) AND resolved_at IS NULL AND last_seen_at <> now()
"""
# Other columns of a table that has just been filled are unknown to the planner until it looks.
ANALYZE = "ANALYZE experiments, metric_curves"
LAST = """
SELECT DISTINCT ON (file) file, id, digest, reader_version, rows_read, rows_rejected, error FROM imports ORDER BY file, id DESC
"""
# These move the times of what an import found, and return how many experiments are as it left them.
SEEN_AGAIN = """
UPDATE experiments e SET seen_at = now() FROM imports i
WHERE i.id = ANY(%(ids)s) AND e.source_file = i.file AND e.seen_at = i.seen_at
"""
REJECTED_AGAIN = """
UPDATE import_rejects r SET last_seen_at = now() FROM imports i
WHERE i.id = ANY(%(ids)s) AND r.file = i.file AND r.last_seen_at = i.seen_at AND r.resolved_at IS NULL
"""
IMPORTED_AGAIN = (
    "UPDATE imports SET seen_at = now(), finished_at = clock_timestamp() WHERE id = ANY(%(ids)s)"
)
SAME_AGAIN = """
UPDATE imports SET finished_at = clock_timestamp(), seen_at = CASE WHEN error IS NULL THEN now() END WHERE id = %(id)s
"""
RECORD = """
INSERT INTO imports (file, digest, reader_version, started_at, finished_at, seen_at, rows_read, rows_added, rows_updated,
                     rows_unchanged, rows_missing, rows_rejected, error)
VALUES (%(file)s, %(digest)s, %(reader_version)s, %(started_at)s, clock_timestamp(),
        CASE WHEN %(error)s::text IS NULL THEN now() END,
        %(read)s, %(added)s, %(updated)s, %(unchanged)s, %(missing)s, %(rejected)s, %(error)s)
"""


@dataclass(frozen=True)
class _Last:
    """A file's last row in imports."""

    id: int
    digest: str | None
    reader_version: int | None
    read: int
    rejected: int
    error: str | None

    @property
    def is_gone(self) -> bool:
        return self.digest is None and self.error is None


def import_files(
    connection: psycopg2.extensions.connection, files: CsvFiles
) -> dict[str, ImportResult]:
    """Make the tables say what the CSV files say, and return what was done by file.

    See csv_import for what is taken. Idempotent.

    A file that is gone is among the outcomes once. While every file is as it was at the last
    import, none is read again. The caller holds the set-up's lock. Raises psycopg2.Error when the
    database fails; nothing is changed then.
    """
    started_at = datetime.now(UTC)
    # Before they are read: a file that changes meanwhile is read again at the next start.
    digests = {file.name: _digest(file) for file in files}
    with connection, connection.cursor() as cursor:
        cursor.execute(LAST)
        last = {str(file): _Last(*columns) for file, *columns in cursor}
        if (unchanged := _unchanged(cursor, files, digests, last)) is not None:
            return unchanged
        outcomes = _write(cursor, files, last)
        for file, outcome in outcomes.items():
            _record(cursor, file, outcome, digests.get(file), started_at, last.get(file))
    return outcomes


def _unchanged(
    cursor: psycopg2.extensions.cursor,
    files: CsvFiles,
    digests: Mapping[str, str | None],
    last: Mapping[str, _Last],
) -> dict[str, ImportResult] | None:
    """Move the times on and return the outcomes when a new import would find nothing new, else
    None.
    """
    found = {file.name: last.get(file.name) for file in files}
    same = [
        entry
        for name, entry in found.items()
        if entry and digests[name] is not None and entry.digest == digests[name]
    ]
    known = {name for name, entry in last.items() if not entry.is_gone}
    readable = all(entry.error is None and entry.reader_version == READER_VERSION for entry in same)
    if files.error or len(same) < len(found) or known != set(found) or not readable:
        return None
    ids = {"ids": [entry.id for entry in same]}
    cursor.execute("SAVEPOINT unchanged")
    cursor.execute(SEEN_AGAIN, ids)
    if cursor.rowcount != sum(
        entry.read - entry.rejected for entry in same
    ):  # someone has changed the tables
        cursor.execute("ROLLBACK TO unchanged")
        return None
    cursor.execute(REJECTED_AGAIN, ids)
    cursor.execute(IMPORTED_AGAIN, ids)
    return {
        name: ImportResult(
            entry.read, unchanged=entry.read - entry.rejected, rejected=entry.rejected
        )
        for name, entry in found.items()
        if entry
    }


def _write(
    cursor: psycopg2.extensions.cursor, files: CsvFiles, last: Mapping[str, _Last]
) -> dict[str, ImportResult]:
    cursor.execute(STAGE)
    cursor.execute("SELECT name, content_digest FROM experiments")
    known: dict[str, str] = dict(cursor.fetchall())
    places: dict[str, str] = {}
    outcomes = {file.name: stage(cursor, file, places, known) for file in files}
    if files.error:
        outcomes[files.directory_name] = ImportResult(error=files.error)
    gone = [
        name
        for name, entry in last.items()
        if name not in outcomes and not entry.is_gone and not _is_unknown(name, files, outcomes)
    ]
    outcomes |= {name: ImportResult() for name in gone}
    settled = {"settled": [name for name, outcome in outcomes.items() if not outcome.error]}
    cursor.execute(CHANGED)
    cursor.execute(COUNT_CHANGED)
    changed = {str(file): (int(added), int(updated)) for file, added, updated in cursor}
    for statement in (UPDATE, SEEN, INSERT, DROP_CURVES, INSERT_CURVES):
        cursor.execute(statement)
    cursor.execute(MISSING, settled)
    missing = Counter(str(file) for (file,) in cursor)
    cursor.execute(REJECTS)
    cursor.execute(RESOLVE, settled)
    if changed:
        cursor.execute(ANALYZE)
    return {
        name: _counted(outcome, *changed.get(name, (0, 0)), missing[name])
        for name, outcome in outcomes.items()
    }


def _is_unknown(name: str, files: CsvFiles, outcomes: Mapping[str, ImportResult]) -> bool:
    """Tell whether a file that is not there may still be.

    What should hold it, or stand in its place, cannot be read.
    """
    if files.in_directory(name) or name == files.directory_name:
        return files.error is not None
    return outcomes[files.main.name].error is not None


def _counted(outcome: ImportResult, added: int, updated: int, missing: int) -> ImportResult:
    if outcome.error:
        return outcome
    unchanged = outcome.read - outcome.rejected - added - updated
    return replace(outcome, added=added, updated=updated, unchanged=unchanged, missing=missing)


def _record(
    cursor: psycopg2.extensions.cursor,
    file: str,
    outcome: ImportResult,
    digest: str | None,
    started_at: datetime,
    last: _Last | None,
) -> None:
    """Add a row to imports, or, when nothing is new, only move on the times of the file's last one."""
    moved = outcome.added + outcome.updated + outcome.missing
    current = (digest, READER_VERSION, outcome.read, outcome.rejected, outcome.error)
    if (
        last
        and not moved
        and current == (last.digest, last.reader_version, last.read, last.rejected, last.error)
    ):
        cursor.execute(SAME_AGAIN, {"id": last.id})
        return
    fields = {
        "file": file,
        "digest": digest,
        "reader_version": READER_VERSION,
        "started_at": started_at,
    }
    cursor.execute(RECORD, fields | outcome.__dict__)


def _digest(file: CsvFile) -> str | None:
    """Return the sha256 of a file; None when it cannot be read, or is none."""
    try:
        if not file.path.is_file():
            return None
        with file.path.open("rb") as content:
            return hashlib.file_digest(content, "sha256").hexdigest()
    except OSError:
        return None
