"""Staging: copies the rows and rejects of a CSV file into temporary tables of one transaction."""

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

import psycopg2.extensions

from db.csv.columns import NAME, MetricColumns
from db.csv.files import CsvFile
from db.csv.reader import read_rows
from db.csv.reject_reasons import UnreadableFileError, duplicate_name
from db.csv.row import Reject, Row
from servicekit import pg_copy

# A file of another kind may be rejected line by line. These are enough to show that, without a
# second copy of the file in the database.
MAX_STORED_REJECTS = 10_000
# Bounds the memory: a batch of this size is copied to Postgres.
MAX_BATCH_BYTES = 8 * 2**20

# Staged curves are short-lived: compressing them twice would take longer than reading them.
CREATE_STAGED_TABLES = """
CREATE TEMPORARY TABLE staged_rows (
    position bigint GENERATED ALWAYS AS IDENTITY, file text, line integer, name text, task text,
    learning_rate double precision, momentum double precision, params jsonb, metrics jsonb,
    digest text
) ON COMMIT DROP;
CREATE TEMPORARY TABLE staged_curves (
    name text, metric text, steps bigint[], metric_values double precision[],
    best_value double precision, best_step bigint
) ON COMMIT DROP;
ALTER TABLE staged_curves
    ALTER COLUMN steps SET STORAGE EXTERNAL, ALTER COLUMN metric_values SET STORAGE EXTERNAL;
CREATE TEMPORARY TABLE staged_rejects (
    file text, line integer, name text, column_name text, reason text, raw text
) ON COMMIT DROP
"""
COPY_ROWS = """
COPY staged_rows (file, line, name, task, learning_rate, momentum, params, metrics, digest)
FROM STDIN (ENCODING 'UTF8')
"""
COPY_CURVES = "COPY staged_curves FROM STDIN (FORMAT binary, ENCODING 'UTF8')"
COPY_REJECTS = "COPY staged_rejects FROM STDIN (ENCODING 'UTF8')"


@dataclass(frozen=True)
class ImportResult:
    """Counts of one file's rows by outcome.

    `missing` counts experiments that the file had before. `error` is set when the whole file is
    unreadable: its experiments are then unchanged.
    """

    read: int = 0
    added: int = 0
    updated: int = 0
    unchanged: int = 0
    missing: int = 0
    rejected: int = 0
    error: str | None = None

    def __str__(self) -> str:
        """Return a summary in one line."""
        if self.error:
            return f"not imported: {self.error}"
        counts = [(self.added, "new"), (self.updated, "changed"), (self.unchanged, "unchanged")]
        counts += [
            (self.missing, "gone from the file"),
            (self.rejected, "rejected, see table import_rejects"),
        ]
        return f"{self.read} rows: " + ", ".join(
            f"{count} {outcome}" for count, outcome in counts if count or outcome == "new"
        )


@dataclass(frozen=True)
class Stored:
    """Experiments of the database: their digests by name, and their names by previous names."""

    digests: Mapping[str, str | None]
    renamed: Mapping[str, str]


@dataclass
class _CopyBatch:
    """Encoded rows that wait for COPY."""

    rows: bytearray = field(default_factory=bytearray)
    curves: bytearray = field(default_factory=bytearray)
    rejects: bytearray = field(default_factory=bytearray)

    def flush(self, cursor: psycopg2.extensions.cursor, min_bytes: int = 1) -> None:
        """Copy the batch into the staged tables if it has at least `min_bytes` bytes."""
        if len(self.rows) + len(self.curves) + len(self.rejects) < min_bytes:
            return
        cursor.copy_expert(COPY_ROWS, io.BytesIO(self.rows))
        if self.curves:
            curves = pg_copy.HEADER + self.curves + pg_copy.END
            cursor.copy_expert(COPY_CURVES, io.BytesIO(curves))
        cursor.copy_expert(COPY_REJECTS, io.BytesIO(self.rejects))
        for buffer in (self.rows, self.curves, self.rejects):
            buffer.clear()


def stage_file(
    cursor: psycopg2.extensions.cursor,
    file: CsvFile,
    locations: dict[str, str],
    stored: Stored,
    metrics: MetricColumns,
) -> ImportResult:
    """Copy a file into the staged tables and return the counts of rows read and rejected.

    `locations` maps names to where they were found; the names of this file are added. A row with
    the previous name of an experiment gets its current one. Curves of experiments that are stored
    with the same digest are left out. `metrics` are the file's metric columns. An unreadable file
    leaves the staged tables unchanged and sets the result's `error`.
    """
    cursor.execute("SAVEPOINT file")
    file_locations: dict[str, str] = {}
    rejected = 0
    batch = _CopyBatch()
    try:
        for read in read_rows(file.path, file.name, locations, metrics):
            entry = _under_current_name(read, stored.renamed, (locations, file_locations))
            if isinstance(entry, Reject):
                rejected += 1
                # Every reject keeps its name: a rejected experiment is not missing.
                texts = (entry.column, entry.reason, entry.raw)
                kept = texts if rejected <= MAX_STORED_REJECTS else (None, None, None)
                batch.rejects += pg_copy.text_line(file.name, entry.line, entry.name, *kept)
            else:
                file_locations[entry.name] = f"{file.name}, line {entry.line}"
                digest = entry.digest()
                batch.rows += _encode_row(file.name, entry, digest)
                if stored.digests.get(entry.name) != digest:
                    batch.curves += b"".join(_encode_curves(entry))
            batch.flush(cursor, min_bytes=MAX_BATCH_BYTES)
    except UnreadableFileError as error:
        cursor.execute("ROLLBACK TO file")
        return ImportResult(error=str(error))
    except (OSError, csv.Error) as error:
        cursor.execute("ROLLBACK TO file")
        return ImportResult(
            error=f"{file.name} cannot be read to its end: {error}. Copy the file again."
        )
    batch.flush(cursor)
    locations.update(file_locations)
    return ImportResult(read=len(file_locations) + rejected, rejected=rejected)


def _under_current_name(
    entry: Row | Reject, renamed: Mapping[str, str], found: Sequence[Mapping[str, str]]
) -> Row | Reject:
    """Return an entry with the current name of its experiment, a reject if another row has it."""
    if not renamed or entry.name is None:
        return entry
    name = renamed.get(entry.name, entry.name)
    location = next((names[name] for names in found if name in names), None)
    if isinstance(entry, Row) and location is not None:
        return Reject(entry.line, NAME, duplicate_name(location), entry.name, name)
    return replace(entry, name=name)


def _encode_row(file: str, row: Row, digest: str) -> bytes:
    params, metrics = json.dumps(row.params), json.dumps(row.metrics)
    rates = (row.learning_rate, row.momentum)
    return pg_copy.text_line(file, row.line, row.name, row.task, *rates, params, metrics, digest)


def _encode_curves(row: Row) -> Iterator[bytes]:
    for metric, curve in row.curves.items():
        best_value, best_step = curve.best_point(metric)
        yield b"".join(
            (
                pg_copy.begin_row(6),
                pg_copy.text(row.name),
                pg_copy.text(metric),
                pg_copy.bigints(curve.steps),
                pg_copy.doubles(curve.values),
                pg_copy.double(best_value),
                pg_copy.bigint(best_step),
            )
        )
