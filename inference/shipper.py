"""`python -m inference.shipper`: the journal -> Postgres, and originals -> their storage. One process beside the service's own.

It is a process of its own so that a slow or frozen Postgres takes no time from answers. What a batch of records says is written in
one transaction, and repeated where it is not sure that Postgres has it: ids make a repeated write add nothing. A second thread
keeps the originals (keeper.py). Whoever starts this process holds its standard input open; when that ends, it ships what is left,
as far as that goes quickly, and leaves.
"""

import fcntl
import io
import json
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO, Any

import psycopg2
import psycopg2.errors
import psycopg2.extensions

from inference.aliases import ALIASES, ALIASES_FILE, COLUMNS, write_aliases
from inference.connection import connect
from inference.journal import ORIGINALS, ROWS, Progress, Segment, segments, total_bytes
from inference.keeper import Keeper
from inference.rows import Row, Rows, UnusableRecord
from inference.settings import Settings, from_environment

PAUSE_SECONDS = 0.2  # between two looks at the journal: larger batches cost less
RETRY_SECONDS = 1.0  # after Postgres failed
ALIASES_SECONDS = 0.35  # a move is to be followed within a second
# The service has 10 s to end, of which callers may take 8.
DRAIN_SECONDS = 0.7  # for what is left at the end
STUCK_SECONDS = 1.0  # then it leaves, even from within a call
NICENESS = 5  # answers go first
BATCH_BYTES = 2**20  # a label waits for a batch at most
LOCK_FILE = "shipper.lock"
REFUSED_FILE = "refused.log"
REFUSED_BYTES = 16 * 2**20  # enough to see what is wrong
ESCAPES = str.maketrans({"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r"})

# What Postgres refuses because of the record itself, for ever; everything else may pass with time.
REFUSALS = (psycopg2.DataError, psycopg2.IntegrityError)

STAGE = """
CREATE TEMPORARY TABLE IF NOT EXISTS staged_images (LIKE images) ON COMMIT DELETE ROWS;
CREATE TEMPORARY TABLE IF NOT EXISTS staged_predictions (
    id uuid, image_id uuid, model_version_id uuid, class_index integer, confidence real, probabilities real[],
    created_at timestamptz
) ON COMMIT DELETE ROWS;
CREATE TEMPORARY TABLE IF NOT EXISTS staged_events (LIKE prediction_events) ON COMMIT DELETE ROWS
"""
IMAGE_COLUMNS = "id, digest, width, height, bytes, media_type, ink_share, mean, centroid_x, centroid_y, border, first_seen_at"
PREDICTION_COLUMNS = "id, image_id, model_version_id, class_index, confidence, probabilities, created_at"
EVENT_COLUMNS = "id, at, prediction_id, milliseconds, cached, request_id, source"
VERSIONS = """
INSERT INTO model_versions (id, experiment_name, version, digest, format, task, classes, input, output, bytes, status, reason,
                            parity, test_accuracy, first_seen_at, status_since)
SELECT id, experiment_name, version, digest, format, task, ARRAY(SELECT jsonb_array_elements_text(classes)), input, output, bytes,
       status, reason, nullif(parity, 'null'), test_accuracy, at, at
FROM jsonb_to_recordset(%s) AS v (
    id uuid, experiment_name text, version integer, digest text, format text, task text, classes jsonb, input jsonb, output text,
    bytes bigint, status text, reason text, parity jsonb, test_accuracy double precision, at timestamptz)
ORDER BY id
ON CONFLICT (id) DO NOTHING
"""
# A process that looks later may still show what another has seen to be over: the last word counts.
STATES = """
UPDATE model_versions m SET status = s.status, reason = s.reason, status_since = %(at)s
FROM jsonb_to_recordset(%(states)s) AS s (id uuid, status text, reason text)
WHERE m.id = s.id AND (m.status, m.reason) IS DISTINCT FROM (s.status, s.reason) AND m.status_since < %(at)s
"""
GONE = """
UPDATE model_versions SET status = 'GONE', reason = NULL, status_since = %(at)s
WHERE status <> 'GONE' AND id <> ALL (%(present)s::uuid[]) AND status_since < %(at)s
"""
IMAGES = f"INSERT INTO images ({IMAGE_COLUMNS}) SELECT {IMAGE_COLUMNS} FROM staged_images ORDER BY id ON CONFLICT (id) DO NOTHING"
PREDICTIONS = """
INSERT INTO predictions (id, image_id, model_version_id, task, label, confidence, probabilities, created_at, last_event_at)
SELECT s.id, s.image_id, s.model_version_id, m.task, m.classes[s.class_index + 1], s.confidence, s.probabilities, s.created_at,
       s.created_at
FROM staged_predictions s JOIN model_versions m ON m.id = s.model_version_id ORDER BY s.id
ON CONFLICT DO NOTHING
"""
EVENTS = f"""
INSERT INTO prediction_events ({EVENT_COLUMNS}) SELECT {EVENT_COLUMNS} FROM staged_events ORDER BY at, id ON CONFLICT DO NOTHING
"""

logger = logging.getLogger(__name__)


class Shipper:
    """Ships a journal directory. `stopping` ends its loops."""

    def __init__(self, settings: Settings, progress: Progress) -> None:
        self._directory = settings.journal_dir
        self._progress = progress
        self._stores_images = settings.stores_images
        self._limit_bytes = settings.journal_bytes
        self._aliases = AliasFollower(settings)
        self._connection: psycopg2.extensions.connection | None = None
        self._rewound: set[str] = set()

    def run(self, stopping: threading.Event) -> None:
        """Ship until `stopping`, and then what is left."""
        failing = False
        while True:
            is_last = stopping.is_set()
            try:
                self._aliases.follow(self._connected())
                shipped = self.ship()
                failing = False
            except (psycopg2.Error, OSError) as error:
                if not failing:
                    logger.warning("The log of predictions waits in %s: %s", self._directory, _first_line(error))
                failing, shipped = True, 0
                self.disconnect()
            if is_last:
                return
            if failing or shipped < BATCH_BYTES:
                stopping.wait(RETRY_SECONDS if failing else PAUSE_SECONDS)

    def ship(self) -> int:
        """Bring everything that is there now to Postgres and return how many bytes that was. Raises psycopg2.Error."""
        shipped = 0
        for segment in segments(self._directory):
            complete = segment.is_complete()  # before the look at its size: it does not grow after this
            offset, size = self._progress.get(ROWS, segment), segment.size
            while offset < size:
                lines = segment.lines(offset, min(size, offset + BATCH_BYTES))
                if not lines:
                    break  # a last line that was never finished, and its prediction not answered
                try:
                    self._write(lines, may_rewind=segment.name not in self._rewound)
                except psycopg2.errors.ForeignKeyViolation:
                    # The database is another than the one that has the records before this: a new one, say.
                    self._rewound.add(segment.name)
                    offset = 0
                    continue
                length = sum(map(len, lines))
                offset += length
                shipped += length
                self._progress.put(ROWS, segment, offset)
                self._aliases.follow(self._connected())
            if complete and not self._waits_for_originals(segment, offset):
                segment.path.unlink()
                self._progress.forget(segment)
                self._rewound.discard(segment.name)
        return shipped

    def disconnect(self) -> None:
        """Close the connection, if there is one."""
        if self._connection is not None:
            with suppress(psycopg2.Error):
                self._connection.close()
            self._connection = None

    def _waits_for_originals(self, segment: Segment, offset: int) -> bool:
        """Tell whether the originals of a segment are still to be stored. Those of a journal that is half full are given up."""
        if not self._stores_images or self._progress.get(ORIGINALS, segment) >= offset:
            return False
        if total_bytes(self._directory) < self._limit_bytes // 2:
            return True
        logger.error("Originals of images are given up, for the log is half full of them: they could not be stored.")
        return False

    def _write(self, lines: Sequence[bytes], *, may_rewind: bool) -> None:
        """Write what some records say, in halves where one of them is refused, which is put aside in the end.

        Raises psycopg2.Error, ForeignKeyViolation only if the caller `may_rewind` to the beginning of the segment.
        """
        try:
            rows = Rows.of(lines)
            connection = self._connected()
            with connection, connection.cursor() as cursor:
                self._insert(cursor, rows)
        except (UnusableRecord, *REFUSALS) as error:
            if may_rewind and isinstance(error, psycopg2.errors.ForeignKeyViolation):
                raise
            if len(lines) == 1:
                self._put_aside(lines[0], error)
                return
            middle = len(lines) // 2
            self._write(lines[:middle], may_rewind=may_rewind)
            self._write(lines[middle:], may_rewind=may_rewind)

    def _insert(self, cursor: psycopg2.extensions.cursor, rows: Rows) -> None:
        cursor.execute("SELECT lock_summaries()")
        cursor.execute(STAGE)
        if rows.versions:
            cursor.execute(VERSIONS, [json.dumps(list(rows.versions.values()))])
        self._copy(cursor, "staged_images", IMAGE_COLUMNS, rows.images.values())
        self._copy(cursor, "staged_predictions", PREDICTION_COLUMNS, rows.predictions.values())
        self._copy(cursor, "staged_events", EVENT_COLUMNS, rows.events)
        for month in sorted({event[1][:7] for event in rows.events}):
            cursor.execute("SELECT make_events_partition(%s::timestamptz)", [f"{month}-01T00:00:00Z"])
        for statement in (IMAGES, PREDICTIONS, EVENTS):
            cursor.execute(statement)
        for state in rows.states:
            cursor.execute(STATES, {**state, "states": json.dumps(state["states"])})
            cursor.execute(GONE, state)
        if rows.states:
            cursor.execute("SELECT first_champions()")

    @staticmethod
    def _copy(cursor: psycopg2.extensions.cursor, table: str, columns: str, rows: Iterable[Row]) -> None:
        text = "".join(map(_copy_line, rows))
        if text:
            cursor.copy_expert(f"COPY {table} ({columns}) FROM STDIN", io.StringIO(text))

    def _connected(self) -> psycopg2.extensions.connection:
        if self._connection is None:
            self._connection = connect("mlops shipper")
        return self._connection

    def _put_aside(self, line: bytes, error: Exception) -> None:
        """Keep a record that can never be written, and say so."""
        path = self._directory / REFUSED_FILE
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "ab") as file:
            if file.tell() < REFUSED_BYTES:
                file.write(line)
        logger.error("A record of the log cannot be written and was put into %s: %s", path, _first_line(error))


class AliasFollower:
    """Keeps JOURNAL_DIR/aliases.json what the view aliases is, for the processes that serve."""

    def __init__(self, settings: Settings) -> None:
        self._path = settings.journal_dir / ALIASES_FILE
        self._last: object = None
        self._looked_at = -ALIASES_SECONDS

    def follow(self, connection: psycopg2.extensions.connection) -> None:
        """Look once, unless that was a moment ago. Raises psycopg2.Error."""
        if time.monotonic() - self._looked_at < ALIASES_SECONDS:
            return
        with connection, connection.cursor() as cursor:
            cursor.execute(ALIASES)
            rows = [dict(zip(COLUMNS, row, strict=True)) for row in cursor.fetchall()]
        if rows != self._last or not self._path.exists():
            write_aliases(self._path, rows)
            self._last = rows
        self._looked_at = time.monotonic()


def _copy_line(row: Row) -> str:
    return "\t".join([_copy_text(value) for value in row]) + "\n"


def _copy_text(value: Any) -> str:
    """Return a value in the text format of COPY."""
    if value is None:
        return r"\N"
    if isinstance(value, list):
        return "{" + ",".join(map(repr, value)) + "}"
    return str(value).translate(ESCAPES) if isinstance(value, str) else str(value)


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n", 1)[0]


def _is_only_shipper(directory: Path) -> IO[str]:
    """Wait until no other process ships this directory, and return what makes others wait."""
    directory.mkdir(parents=True, exist_ok=True)
    lock = (directory / LOCK_FILE).open("w")
    fcntl.flock(lock, fcntl.LOCK_EX)
    return lock


def main() -> None:
    """Ship until the standard input ends."""
    logging.basicConfig(stream=sys.stderr, level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    settings = from_environment()
    for number in (signal.SIGINT, signal.SIGTERM):  # they are for whoever started this, and ends the input then
        signal.signal(number, signal.SIG_IGN)
    os.nice(NICENESS)
    stopping = threading.Event()
    threading.Thread(target=_stop_at_end_of_input, args=[stopping], daemon=True).start()
    try:
        lock = _is_only_shipper(settings.journal_dir)
    except OSError as error:
        sys.exit(f"The journal's directory {settings.journal_dir} cannot be used: {error.strerror}.")
    progress = Progress(settings.journal_dir)
    keeper = Keeper(settings, progress)
    keeping = threading.Thread(target=keeper.run, args=[stopping], name="originals", daemon=True)
    keeping.start()
    Shipper(settings, progress).run(stopping)
    keeping.join(DRAIN_SECONDS)
    lock.close()


def _stop_at_end_of_input(stopping: threading.Event) -> None:
    while os.read(0, 1):  # not through sys.stdin, whose lock would be held when this process fails
        pass
    stopping.set()
    time.sleep(STUCK_SECONDS)
    os._exit(0)  # a call of a Postgres that is frozen never returns; the journal has all


if __name__ == "__main__":
    main()
