"""The rows and rejects of a CSV file -> staged tables, which last as long as the transaction."""

import csv
import io
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

import psycopg2.extensions

from db.csv_files import CsvFile
from db.csv_reader import Reject, Row, UnreadableFileError, read
from servicekit import pg_copy

# A file that is no experiments at all has a reject per line: enough of them to see that, not a
# second copy of the file.
MAX_REJECTS_KEPT = 10_000
# As soon as there is that much to be copied, it is: however large the files, no more of them is in
# memory.
MAX_BATCH_BYTES = 8 * 2**20

# Curves stay a moment: to compress them twice would take longer than to read them.
STAGE = """
CREATE TEMPORARY TABLE staged_rows (
    position bigint GENERATED ALWAYS AS IDENTITY, file text, line integer, name text, task text, learning_rate double precision,
    momentum double precision, params jsonb, metrics jsonb, digest text
) ON COMMIT DROP;
CREATE TEMPORARY TABLE staged_curves (
    name text, metric text, steps bigint[], metric_values double precision[], best_value double precision, best_step bigint
) ON COMMIT DROP;
ALTER TABLE staged_curves ALTER COLUMN steps SET STORAGE EXTERNAL, ALTER COLUMN metric_values SET STORAGE EXTERNAL;
CREATE TEMPORARY TABLE staged_rejects (file text, line integer, name text, column_name text, reason text, raw text) ON COMMIT DROP
"""
COPY_ROWS = """
COPY staged_rows (file, line, name, task, learning_rate, momentum, params, metrics, digest) FROM STDIN (ENCODING 'UTF8')
"""
COPY_CURVES = "COPY staged_curves FROM STDIN (FORMAT binary, ENCODING 'UTF8')"
COPY_REJECTS = "COPY staged_rejects FROM STDIN (ENCODING 'UTF8')"


@dataclass(frozen=True)
class ImportResult:
    """What an import did, in rows.

    `error` is set when the whole file could not be used; its experiments are then as before.
    """

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
        counts += [
            (self.missing, "gone from the file"),
            (self.rejected, "rejected, see table import_rejects"),
        ]
        return f"{self.read} rows: " + ", ".join(
            f"{count} {what}" for count, what in counts if count or what == "new"
        )


@dataclass
class _Batch:
    """Lines that wait for COPY."""

    rows: bytearray = field(default_factory=bytearray)
    curves: bytearray = field(default_factory=bytearray)
    rejects: bytearray = field(default_factory=bytearray)

    def copy(self, cursor: psycopg2.extensions.cursor, at_least: int = 1) -> None:
        """Copy what waits into the staged tables, once it has `at_least` so many bytes."""
        if len(self.rows) + len(self.curves) + len(self.rejects) < at_least:
            return
        cursor.copy_expert(COPY_ROWS, io.BytesIO(self.rows))
        if self.curves:
            cursor.copy_expert(
                COPY_CURVES,
                io.BytesIO(pg_copy.HEADER + self.curves + pg_copy.END),
            )
        cursor.copy_expert(COPY_REJECTS, io.BytesIO(self.rejects))
        for waiting in (self.rows, self.curves, self.rejects):
            waiting.clear()


def stage(
    cursor: psycopg2.extensions.cursor,
    file: CsvFile,
    places: dict[str, str],
    known: Mapping[str, str],
) -> ImportResult:
    """Copy a file's content into the staged tables, all or, when it cannot be used, nothing of it,
    and return what was read.

    `places` says where each name was met and grows by this file's; curves whose row the tables know
    just so (`known`: digests by name) are left out.
    """
    cursor.execute("SAVEPOINT file")
    own: dict[str, str] = {}
    rejected = 0
    batch = _Batch()
    try:
        for entry in read(file.path, file.name, places):
            if isinstance(entry, Reject):
                rejected += 1
                kept = (
                    (entry.column, entry.reason, entry.raw)
                    if rejected <= MAX_REJECTS_KEPT
                    else (None, None, None)
                )
                batch.rejects += pg_copy.text_line(file.name, entry.line, entry.name, *kept)
            else:
                own[entry.name] = f"{file.name}, line {entry.line}"
                digest = entry.digest()
                batch.rows += _row_line(file.name, entry, digest)
                if known.get(entry.name) != digest:
                    batch.curves += b"".join(_curve_records(entry))
            batch.copy(cursor, at_least=MAX_BATCH_BYTES)
    except UnreadableFileError as error:
        cursor.execute("ROLLBACK TO file")
        return ImportResult(error=str(error))
    except (OSError, csv.Error) as error:
        cursor.execute("ROLLBACK TO file")
        return ImportResult(error=f"{file.name} cannot be read to its end: {error}.")
    batch.copy(cursor)
    places.update(own)
    return ImportResult(read=len(own) + rejected, rejected=rejected)


def _row_line(file: str, row: Row, digest: str) -> bytes:
    params, metrics = json.dumps(row.params), json.dumps(row.metrics)
    return pg_copy.text_line(
        file, row.line, row.name, row.task, row.learning_rate, row.momentum, params, metrics, digest
    )


def _curve_records(row: Row) -> Iterator[bytes]:
    for metric, curve in row.curves.items():
        best_value, best_step = curve.best(metric)
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
