"""Rows and rejects -> tables. One call is one transaction: after it the tables say what the file says, or nothing changed."""

import csv
import hashlib
import json
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import TextIO, cast

import psycopg2.extensions

from db.csv_import import Reject, Row, UnusableFile, read

# A file that is no experiments at all has a reject per line: enough of them to see that, not a second copy of the file.
MAX_REJECTS_KEPT = 10_000
# More than that of a file goes to the disk while it is read.
MAX_SPOOL_BYTES = 16 * 2**20

STAGE = """
CREATE TEMPORARY TABLE staged_rows (
    line integer, name text, task text, learning_rate double precision, momentum double precision,
    params jsonb, metrics jsonb, digest text
) ON COMMIT DROP;
CREATE TEMPORARY TABLE staged_curves (
    name text, metric text, steps bigint[], metric_values double precision[], best_value double precision, best_step bigint
) ON COMMIT DROP;
CREATE TEMPORARY TABLE staged_rejects (line integer, name text, column_name text, reason text, raw text) ON COMMIT DROP
"""
CHANGED = """
CREATE TEMPORARY TABLE changed ON COMMIT DROP AS
SELECT s.name, e.id IS NULL AS is_new FROM staged_rows s LEFT JOIN experiments e USING (name)
WHERE e.id IS NULL OR e.content_digest <> s.digest
"""
UPDATE = """
UPDATE experiments e
SET task = s.task, learning_rate = s.learning_rate, momentum = s.momentum, params = s.params, metrics = s.metrics,
    content_digest = s.digest, updated_at = now()
FROM staged_rows s JOIN changed c USING (name) WHERE e.name = s.name AND NOT c.is_new
"""
INSERT = """
INSERT INTO experiments (name, task, learning_rate, momentum, params, metrics, source_file, source_line, content_digest)
SELECT s.name, s.task, s.learning_rate, s.momentum, s.params, s.metrics, %(file)s, s.line, s.digest
FROM staged_rows s JOIN changed c USING (name) WHERE c.is_new ORDER BY s.line
"""
SEEN = """
UPDATE experiments e SET seen_at = now(), missing_since = NULL, source_file = %(file)s, source_line = s.line
FROM staged_rows s WHERE e.name = s.name
"""
DROP_CURVES = "DELETE FROM metric_curves USING experiments e JOIN changed c USING (name) WHERE experiment_id = e.id"
INSERT_CURVES = """
INSERT INTO metric_curves (experiment_id, metric, steps, metric_values, best_value, best_step)
SELECT e.id, s.metric, s.steps, s.metric_values, s.best_value, s.best_step
FROM staged_curves s JOIN changed c USING (name) JOIN experiments e USING (name)
"""
# An experiment whose row is in the file but rejected keeps its last good content and is not missing.
MISSING = """
UPDATE experiments SET missing_since = now()
WHERE source_file = %(file)s AND missing_since IS NULL
  AND name NOT IN (SELECT name FROM staged_rows UNION ALL SELECT name FROM staged_rejects WHERE name IS NOT NULL)
"""
REJECTS = """
INSERT INTO import_rejects (file, line, column_name, reason, raw)
SELECT %(file)s, line, column_name, reason, raw FROM staged_rejects WHERE reason IS NOT NULL
ON CONFLICT (file, line, md5(coalesce(column_name, '') || chr(10) || reason || chr(10) || raw))
DO UPDATE SET last_seen_at = now(), resolved_at = NULL
"""
RESOLVE = "UPDATE import_rejects SET resolved_at = now() WHERE file = %(file)s AND resolved_at IS NULL AND last_seen_at < now()"
SAME_AS_LAST = """
UPDATE imports SET finished_at = clock_timestamp()
WHERE id = (SELECT max(id) FROM imports WHERE file = %(file)s)
  AND digest IS NOT DISTINCT FROM %(digest)s AND error IS NOT DISTINCT FROM %(error)s
"""
RECORD = """
INSERT INTO imports (file, digest, started_at, finished_at, rows_read, rows_added, rows_updated, rows_unchanged,
                     rows_missing, rows_rejected, error)
VALUES (%(file)s, %(digest)s, %(started_at)s, clock_timestamp(), %(read)s, %(added)s, %(updated)s, %(unchanged)s,
        %(missing)s, %(rejected)s, %(error)s)
"""


@dataclass(frozen=True)
class Outcome:
    """What an import did, in rows. `error` is set when the whole file could not be used; the tables are then as before."""

    read: int = 0
    added: int = 0
    updated: int = 0
    unchanged: int = 0
    missing: int = 0
    rejected: int = 0
    error: str | None = None

    def __str__(self) -> str:
        """Say it in one line."""
        if self.error:
            return f"not imported: {self.error}"
        counts = [(self.added, "new"), (self.updated, "changed"), (self.unchanged, "unchanged")]
        counts += [(self.missing, "gone from the file"), (self.rejected, "rejected, see table import_rejects")]
        return f"{self.read} rows: " + ", ".join(f"{count} {what}" for count, what in counts if count or what == "new")


def import_file(connection: psycopg2.extensions.connection, path: Path) -> Outcome:
    """Make the tables say what a CSV file says; see csv_import for what is taken. Idempotent.

    The caller holds the set-up's lock. Raises psycopg2.Error when the database fails; nothing is changed then.
    """
    started_at = datetime.now(UTC)
    try:
        with connection, connection.cursor() as cursor:
            outcome = _write(cursor, path)
    except UnusableFile as error:
        outcome = Outcome(error=str(error))
    except (OSError, csv.Error, UnicodeError) as error:
        outcome = Outcome(error=f"{path.name} cannot be read to its end: {error}.")
    with connection, connection.cursor() as cursor:
        fields = {"file": path.name, "digest": _digest(path), "started_at": started_at, **outcome.__dict__}
        if not outcome.added + outcome.updated + outcome.missing:
            cursor.execute(SAME_AS_LAST, fields)
        if outcome.added + outcome.updated + outcome.missing or not cursor.rowcount:
            cursor.execute(RECORD, fields)
    return outcome


def _write(cursor: psycopg2.extensions.cursor, path: Path) -> Outcome:
    cursor.execute(STAGE)
    rejected = _stage(cursor, path)
    file = {"file": path.name}
    cursor.execute(CHANGED)
    counts = []
    for statement in (UPDATE, INSERT, SEEN, DROP_CURVES, INSERT_CURVES, MISSING, REJECTS, RESOLVE):
        cursor.execute(statement, file)
        counts.append(cursor.rowcount)
    updated, added, seen, _, _, missing, _, _ = counts
    return Outcome(seen + rejected, added, updated, seen - added - updated, missing, rejected)


def _stage(cursor: psycopg2.extensions.cursor, path: Path) -> int:
    """Copy a file's content into the staged tables and return the number of rejects. Raises UnusableFile.

    The file is read to its end before the first COPY: an error in the midst of one would reach the caller as another one.
    """
    rejected = 0
    with ExitStack() as stack:
        rows, curves, rejects = (stack.enter_context(_spool()) for _ in range(3))
        for entry in read(path):
            if isinstance(entry, Reject):
                rejected += 1
                kept = (entry.column, entry.reason, entry.raw) if rejected <= MAX_REJECTS_KEPT else (None, None, None)
                rejects.write(_copy_line(entry.line, entry.name, *kept))
            else:
                rows.write(_row_line(entry))
                curves.writelines(_curve_lines(entry))
        for table, spool in {"staged_rows": rows, "staged_curves": curves, "staged_rejects": rejects}.items():
            spool.seek(0)
            cursor.copy_expert(f"COPY {table} FROM STDIN", spool)
    return rejected


def _spool() -> TextIO:
    return cast("TextIO", SpooledTemporaryFile(MAX_SPOOL_BYTES, "w+", encoding="utf-8", newline="\n"))


def _row_line(row: Row) -> str:
    return _copy_line(
        row.line,
        row.name,
        row.task,
        row.learning_rate,
        row.momentum,
        json.dumps(row.params),
        json.dumps(row.metrics),
        row.digest(),
    )


def _curve_lines(row: Row) -> Iterator[str]:
    for metric, curve in row.curves.items():
        arrays = ("{" + ",".join(map(repr, numbers)) + "}" for numbers in (curve.steps, curve.values))
        yield _copy_line(row.name, metric, *arrays, *curve.best(metric))


def _copy_line(*values: object) -> str:
    """Return a line of COPY's text format."""
    escapes = str.maketrans({"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r"})
    return "\t".join(r"\N" if value is None else str(value).translate(escapes) for value in values) + "\n"


def _digest(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except OSError:
        return None
