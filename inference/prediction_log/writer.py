"""Records of the journal -> tables, in one transaction: all that some records say, or nothing.

Events are copied straight into the table of their month, and what they add to the summaries is said
once for each prediction and minute. Where Postgres has one of them already - after a crash records
are written again - they go through a table that tells which, and the triggers of prediction_events
count those that are new.
"""

import io
import json
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

import psycopg2.errors
import psycopg2.extensions

from inference.prediction_log.decoder import (
    EVENT_COLUMNS,
    IMAGE_COLUMNS,
    MINUTE,
    PREDICTION_COLUMNS,
    Rows,
    SeenKeys,
    moment,
)
from servicekit import pg_copy

STAGE = """
CREATE TEMPORARY TABLE staged_images (LIKE images) ON COMMIT DELETE ROWS;
CREATE TEMPORARY TABLE staged_predictions (
    id uuid, image_id uuid, model_version_id uuid, class_index integer, confidence real, probabilities real[],
    created_at timestamptz, events bigint, last_event_at timestamptz
) ON COMMIT DELETE ROWS;
CREATE TEMPORARY TABLE staged_events (LIKE prediction_events) ON COMMIT DELETE ROWS
"""
# Before the lock of a month, as who drops a month does.
LOCK_EVENTS = "LOCK TABLE ONLY prediction_events IN ROW EXCLUSIVE MODE"
VERSIONS = """
INSERT INTO model_versions AS m (id, experiment_name, version, digest, format, task, classes, input, output, bytes, status, reason,
                            parity, test_accuracy, first_seen_at, status_since)
SELECT id, experiment_name, version, digest, format, task, ARRAY(SELECT jsonb_array_elements_text(classes)), input, output, bytes,
       status, reason, nullif(parity, 'null'), test_accuracy, at, at
FROM jsonb_to_recordset(%s) AS v (
    id uuid, experiment_name text, version integer, digest text, format text, task text, classes jsonb, input jsonb, output text,
    bytes bigint, status text, reason text, parity jsonb, test_accuracy double precision, at timestamptz)
ORDER BY id
ON CONFLICT (id) DO UPDATE SET bytes = excluded.bytes, parity = excluded.parity, test_accuracy = excluded.test_accuracy
WHERE m.bytes IS NULL AND excluded.bytes IS NOT NULL
"""
# A process that looks later may still show what another has seen to be over: the last word counts.
# But not that of a clock which was ahead.
STATES = """
UPDATE model_versions m SET status = s.status, reason = s.reason, status_since = %(at)s
FROM jsonb_to_recordset(%(states)s) AS s (id uuid, status text, reason text)
WHERE m.id = s.id AND (m.status, m.reason) IS DISTINCT FROM (s.status, s.reason) AND NOT m.status_since BETWEEN %(at)s AND now()
"""
GONE = """
UPDATE model_versions SET status = 'GONE', reason = NULL, status_since = %(at)s
WHERE status <> 'GONE' AND id <> ALL (%(present)s::uuid[]) AND NOT status_since BETWEEN %(at)s AND now()
"""
IMAGES = f"INSERT INTO images ({IMAGE_COLUMNS}) SELECT {IMAGE_COLUMNS} FROM staged_images ORDER BY id ON CONFLICT (id) DO NOTHING"
PREDICTIONS = """
INSERT INTO predictions (id, image_id, model_version_id, task, label, confidence, probabilities, created_at, events, last_event_at)
SELECT s.id, s.image_id, s.model_version_id, m.task, m.classes[s.class_index + 1], s.confidence, s.probabilities, s.created_at,
       s.events, s.last_event_at
FROM staged_predictions s JOIN model_versions m ON m.id = s.model_version_id ORDER BY s.id
ON CONFLICT DO NOTHING RETURNING id::text
"""
EVENTS = f"""
INSERT INTO prediction_events ({EVENT_COLUMNS}) SELECT {EVENT_COLUMNS} FROM staged_events ORDER BY at, id ON CONFLICT DO NOTHING
"""
COUNT_EVENTS = "SELECT count_events(%s::uuid[], %s::bigint[], %s::timestamptz[])"
COUNT_TRAFFIC = "SELECT count_traffic(%s::timestamptz[], %s::uuid[], %s::bigint[], %s::bigint[], %s::double precision[])"
COUNTED_AT_ONCE = 100
ROWS_AT_ONCE = 64  # of COPY, which Postgres takes half a millisecond for
WORK_SECONDS = 0.0004  # of this process between two rests

Cursor = psycopg2.extensions.cursor
Item = TypeVar("Item")


class Tables:
    """The tables of the log, over one connection."""

    def __init__(
        self, connection: psycopg2.extensions.connection, rest: Callable[[], object]
    ) -> None:
        """Make what is needed for as long as the connection lasts.

        `rest` is called between small pieces of work.
        """
        self.connection = connection
        self._rest = rest
        self._known = SeenKeys()
        self._months: set[str] = set()
        with connection, connection.cursor() as cursor:
            cursor.execute(STAGE)

    def write(self, lines: Sequence[bytes]) -> None:
        """Write what some records say. Raises InvalidRecordError and psycopg2.Error."""
        if self._known.predictions > SeenKeys.MOST:
            self._known.forget()
        try:
            self._write(self._read(lines))
        except BaseException:
            self._known.forget()  # for it knows what was not written
            raise

    def _read(self, lines: Iterable[bytes]) -> Rows:
        rows, rested = Rows(self._known), time.perf_counter()
        for line in lines:
            rows.add(line)
            if time.perf_counter() - rested > WORK_SECONDS:
                self._rest()
                rested = time.perf_counter()
        return rows

    def _write(self, rows: Rows) -> None:
        try:
            self._insert(rows)
        except psycopg2.errors.UniqueViolation:
            self._insert(rows, is_repeated=True)
        except psycopg2.errors.UndefinedTable:  # somebody dropped a month that is not over
            self._months.clear()
            self._insert(rows, is_repeated=True)

    def _insert(self, rows: Rows, *, is_repeated: bool = False) -> None:
        with self.connection, self.connection.cursor() as cursor:
            if is_repeated:
                self._make_months(cursor, rows.events)
                for events in rows.events.values():
                    self._copy(cursor, "staged_events", EVENT_COLUMNS, events)
            else:
                self._make_months(cursor, rows.events.keys() - self._months)
                cursor.execute(LOCK_EVENTS)
                for month, events in rows.events.items():
                    self._copy(cursor, f"prediction_events_{month}", EVENT_COLUMNS, events)
            cursor.execute("SELECT lock_summaries()")
            if rows.versions:
                cursor.execute(VERSIONS, [json.dumps(list(rows.versions.values()))])
            if rows.images:
                self._copy(cursor, "staged_images", IMAGE_COLUMNS, list(rows.images.values()))
                cursor.execute(IMAGES)
            counts = {} if is_repeated else rows.counts
            new = self._add_predictions(cursor, rows, counts)
            if is_repeated:
                cursor.execute(EVENTS)
            else:
                self._count(cursor, {key: count for key, count in counts.items() if key not in new})
                self._count_traffic(cursor, rows)
            for state in rows.states:
                cursor.execute(STATES, {**state, "states": json.dumps(state["states"])})
                cursor.execute(GONE, state)
            if rows.states:
                cursor.execute("SELECT first_champions()")
        self._months |= rows.events.keys()

    @staticmethod
    def _make_months(cursor: Cursor, months: Iterable[str]) -> None:
        for month in sorted(months):
            cursor.execute(
                "SELECT make_events_partition(%s::timestamptz)",
                [f"{month.replace('_', '-')}-01T00:00:00Z"],
            )

    def _add_predictions(
        self, cursor: Cursor, rows: Rows, counts: dict[bytes, list[int]]
    ) -> set[bytes]:
        """Add predictions with the counts of their events, and return the ids of those that were
        not there.
        """
        if not rows.predictions:
            return set()
        staged = []
        for key, prediction in rows.predictions.items():
            events, last = counts.get(key, (0, prediction.at))
            staged.append(prediction.row + pg_copy.bigint(events) + pg_copy.timestamptz(last))
        self._copy(cursor, "staged_predictions", PREDICTION_COLUMNS, staged)
        cursor.execute(PREDICTIONS)
        return {bytes.fromhex(key.replace("-", "")) for (key,) in cursor.fetchall()}

    def _count(self, cursor: Cursor, counts: dict[bytes, list[int]]) -> None:
        for some in _parts(list(counts.items()), COUNTED_AT_ONCE):
            columns = (
                (key.hex() for key, _ in some),
                (str(n) for _, (n, _) in some),
                (moment(at) for _, (_, at) in some),
            )
            cursor.execute(COUNT_EVENTS, [_array(column) for column in columns])
            self._rest()

    @staticmethod
    def _count_traffic(cursor: Cursor, rows: Rows) -> None:
        traffic = [
            (moment(minute * MINUTE), version, *sums)
            for (minute, version), sums in rows.traffic.items()
        ]
        if traffic:
            cursor.execute(
                COUNT_TRAFFIC, [_array(map(str, column)) for column in zip(*traffic, strict=True)]
            )

    def _copy(self, cursor: Cursor, table: str, columns: str, rows: Sequence[bytes]) -> None:
        cursor.copy_expert(
            f"COPY {table} ({columns}) FROM STDIN (FORMAT binary, ENCODING 'UTF8')",
            _Pieces(rows, self._rest),
        )


class _Pieces(io.BufferedIOBase):
    """What COPY reads, a few rows at a time."""

    def __init__(self, rows: Sequence[bytes], rest: Callable[[], object]) -> None:
        super().__init__()
        self._pieces = self._of(rows, rest)

    def read(self, _size: int | None = -1, /) -> bytes:
        """Return the next piece, nothing at the end."""
        return next(self._pieces, b"")

    @staticmethod
    def _of(rows: Sequence[bytes], rest: Callable[[], object]) -> Iterator[bytes]:
        yield pg_copy.HEADER
        for some in _parts(rows, ROWS_AT_ONCE):
            yield b"".join(some)
            rest()
        yield pg_copy.END


def _parts(items: Sequence[Item], most: int) -> Iterator[Sequence[Item]]:
    for start in range(0, len(items), most):
        yield items[start : start + most]


def _array(values: Iterable[str]) -> str:
    return "{" + ",".join(values) + "}"
