"""Table writer: writes records to the log's tables, each batch in one transaction.

Events are copied into the table of their month, and their sums are added once per prediction and
minute. If Postgres has some of the events already, which happens after a crash, they are copied
into a staging table. INSERT ... ON CONFLICT then skips repeated ones, and the triggers of
prediction_events count the new ones.
"""

import io
import json
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import TypeVar

import psycopg2
import psycopg2.errors
import psycopg2.extensions

from inference.prediction_log.decoder import Rows, SeenKeys
from inference.prediction_log.row_encoding import (
    EVENT_COLUMNS,
    IMAGE_COLUMNS,
    MICROSECONDS_PER_MINUTE,
    PIXEL_COLUMNS,
    PREDICTION_COLUMNS,
    encode_event_summary,
    timestamp_text,
)
from servicekit import pg_copy

CREATE_STAGING_TABLES = """
CREATE TEMPORARY TABLE staged_images (LIKE images) ON COMMIT DELETE ROWS;
CREATE TEMPORARY TABLE staged_pixels (image_id uuid, pixels bytea) ON COMMIT DELETE ROWS;
CREATE TEMPORARY TABLE staged_predictions (
    id uuid, image_id uuid, model_version_id uuid, class_index integer, confidence real,
    probabilities real[], created_at timestamptz, events bigint, last_event_at timestamptz
) ON COMMIT DELETE ROWS;
CREATE TEMPORARY TABLE staged_events (LIKE prediction_events) ON COMMIT DELETE ROWS
"""
# Taken before the lock of a month, in the order of the function that drops months
LOCK_EVENTS = "LOCK TABLE ONLY prediction_events IN ROW EXCLUSIVE MODE"
INSERT_VERSIONS = """
INSERT INTO model_versions AS m (
    id, experiment_name, version, digest, format, task, classes, input, output, bytes, status,
    reason, parity, test_accuracy, probe_accuracy, probe_digits, probe_passed, probe_sentence,
    probe_best, training, first_seen_at, status_since)
SELECT id, experiment_name, version, digest, format, task,
       ARRAY(SELECT jsonb_array_elements_text(classes)), input, output, bytes, status, reason,
       nullif(parity, 'null'), test_accuracy, (probe->>'accuracy')::double precision,
       (probe->>'digits')::integer, (probe->>'passed')::boolean, probe->>'sentence',
       nullif(probe->'best', 'null'), nullif(training, 'null'), at, at
FROM jsonb_to_recordset(%s) AS v (
    id uuid, experiment_name text, version integer, digest text, format text, task text,
    classes jsonb, input jsonb, output text, bytes bigint, status text, reason text, parity jsonb,
    test_accuracy double precision, probe jsonb, training jsonb, at timestamptz)
ORDER BY id
ON CONFLICT (id) DO UPDATE SET
    bytes = coalesce(m.bytes, excluded.bytes), parity = coalesce(m.parity, excluded.parity),
    test_accuracy = coalesce(m.test_accuracy, excluded.test_accuracy),
    probe_accuracy = excluded.probe_accuracy, probe_digits = excluded.probe_digits,
    probe_passed = excluded.probe_passed, probe_sentence = excluded.probe_sentence,
    probe_best = excluded.probe_best, training = coalesce(m.training, excluded.training)
WHERE (m.bytes IS NULL AND excluded.bytes IS NOT NULL)
      OR (m.training IS NULL AND excluded.training IS NOT NULL)
      OR (m.probe_sentence, m.probe_passed)
         IS DISTINCT FROM (excluded.probe_sentence, excluded.probe_passed)
         AND excluded.probe_sentence IS NOT NULL
"""
# A result never changes: it depends only on the content of the version.
INSERT_ROBUSTNESS = """
INSERT INTO robustness (model_version_id, corruption, severity, amount, images, correct)
SELECT v.key::uuid, r.*
FROM jsonb_each(%s) AS v, jsonb_to_recordset(v.value) AS r (
    corruption text, severity smallint, amount double precision, images integer, correct integer)
ORDER BY 1, 2, 3
ON CONFLICT DO NOTHING
"""
# A record may arrive late, when its replica has ended. The latest state wins, also over one that
# another process recorded. One from the future, of a clock that was ahead, is not the latest.
WRITE_STATES = """
INSERT INTO replicas AS r (id, host, seen_at) VALUES (%(replica)s, %(host)s, least(%(at)s, now()))
ON CONFLICT (id) DO UPDATE SET seen_at = greatest(r.seen_at, excluded.seen_at);
INSERT INTO replica_versions AS v (replica_id, model_version_id, status, reason, status_since)
SELECT %(replica)s, s.id, s.status, s.reason, %(at)s
FROM jsonb_to_recordset(%(states)s) AS s (id uuid, status text, reason text) ORDER BY s.id
ON CONFLICT (replica_id, model_version_id) DO UPDATE
SET status = excluded.status, reason = excluded.reason, status_since = excluded.status_since
WHERE (v.status, v.reason) IS DISTINCT FROM (excluded.status, excluded.reason)
      AND NOT v.status_since BETWEEN excluded.status_since AND now();
DELETE FROM replica_versions
WHERE replica_id = %(replica)s AND model_version_id <> ALL (%(present)s::uuid[])
      AND NOT status_since BETWEEN %(at)s AND now()
"""
INSERT_IMAGES = f"""
INSERT INTO images ({IMAGE_COLUMNS})
SELECT {IMAGE_COLUMNS} FROM staged_images ORDER BY id ON CONFLICT (id) DO NOTHING
"""
# Other originals of the same pixels, or an older service, had no warning.
UPDATE_WARNINGS = """
UPDATE images i SET warnings = s.warnings FROM staged_images s
WHERE i.id = s.id AND s.warnings <> '{}' AND i.warnings = '{}'
"""
INSERT_PIXELS = f"""
INSERT INTO image_pixels ({PIXEL_COLUMNS})
SELECT {PIXEL_COLUMNS} FROM staged_pixels ORDER BY image_id ON CONFLICT DO NOTHING
"""
INSERT_PREDICTIONS = """
INSERT INTO predictions (id, image_id, model_version_id, task, label, confidence, probabilities,
                         created_at, events, last_event_at)
SELECT s.id, s.image_id, s.model_version_id, m.task, m.classes[s.class_index + 1], s.confidence,
       s.probabilities, s.created_at, s.events, s.last_event_at
FROM staged_predictions s JOIN model_versions m ON m.id = s.model_version_id ORDER BY s.id
ON CONFLICT DO NOTHING RETURNING id::text
"""
INSERT_EVENTS = f"""
INSERT INTO prediction_events ({EVENT_COLUMNS})
SELECT {EVENT_COLUMNS} FROM staged_events ORDER BY at, id ON CONFLICT DO NOTHING
"""
COUNT_EVENTS = "SELECT count_events(%s::uuid[], %s::bigint[], %s::timestamptz[])"
COUNT_TRAFFIC = """
SELECT count_traffic(
    %s::timestamptz[], %s::uuid[], %s::bigint[], %s::bigint[], %s::double precision[])
"""
COUNT_BATCH = 100  # predictions in one statement
COPY_BATCH = 64  # rows that Postgres reads at once, in half a millisecond
WORK_SECONDS = 0.0004  # of this process between two calls of yield_cpu

Cursor = psycopg2.extensions.cursor
Item = TypeVar("Item")


class TableWriter:
    """Writes the log's tables over one connection."""

    def __init__(
        self, connection: psycopg2.extensions.connection, yield_cpu: Callable[[], object]
    ) -> None:
        """Create the staging tables, which last as long as the connection.

        `yield_cpu` is called between small pieces of work.
        """
        self.connection = connection
        self._yield_cpu = yield_cpu
        self._seen = SeenKeys()
        self._months: set[str] = set()  # with a table
        with connection, connection.cursor() as cursor:
            cursor.execute(CREATE_STAGING_TABLES)

    def write(self, lines: Sequence[bytes]) -> None:
        """Write some records, all or none. Raises InvalidRecordError and psycopg2.Error."""
        if self._seen.prediction_count > SeenKeys.MAX_PREDICTIONS:
            self._seen.clear()
        try:
            self._write_rows(self._decode(lines))
        except psycopg2.InterfaceError as error:
            self._seen.clear()
            # The rollback of a connection that Postgres has closed. The reason is more useful.
            if isinstance(error.__context__, psycopg2.Error):
                raise error.__context__ from None
            raise
        except BaseException:
            self._seen.clear()  # it holds keys that were not written
            raise

    def _decode(self, lines: Iterable[bytes]) -> Rows:
        rows, yielded_at = Rows(self._seen), time.perf_counter()
        for line in lines:
            rows.add(line)
            if time.perf_counter() - yielded_at > WORK_SECONDS:
                self._yield_cpu()
                yielded_at = time.perf_counter()
        return rows

    def _write_rows(self, rows: Rows) -> None:
        try:
            self._insert(rows)
        except psycopg2.errors.UniqueViolation:
            self._insert(rows, is_repeated=True)
        except psycopg2.errors.UndefinedTable:  # a month's table was dropped before its end
            self._months.clear()
            self._insert(rows, is_repeated=True)

    def _insert(self, rows: Rows, *, is_repeated: bool = False) -> None:
        with self.connection, self.connection.cursor() as cursor:
            if is_repeated:
                self._create_months(cursor, rows.events)
                for events in rows.events.values():
                    self._copy(cursor, "staged_events", EVENT_COLUMNS, events)
            else:
                self._create_months(cursor, rows.events.keys() - self._months)
                cursor.execute(LOCK_EVENTS)
                for month, events in rows.events.items():
                    self._copy(cursor, f"prediction_events_{month}", EVENT_COLUMNS, events)
            cursor.execute("SELECT lock_summaries()")
            if rows.versions:
                cursor.execute(INSERT_VERSIONS, [json.dumps(list(rows.versions.values()))])
            if rows.robustness:
                cursor.execute(INSERT_ROBUSTNESS, [json.dumps(rows.robustness)])
            if rows.images:
                self._copy(cursor, "staged_images", IMAGE_COLUMNS, list(rows.images.values()))
                cursor.execute(INSERT_IMAGES)
                cursor.execute(UPDATE_WARNINGS)
                self._copy(cursor, "staged_pixels", PIXEL_COLUMNS, list(rows.pixels.values()))
                cursor.execute(INSERT_PIXELS)
            counts = {} if is_repeated else rows.counts
            new_ids = self._insert_predictions(cursor, rows, counts)
            if is_repeated:
                cursor.execute(INSERT_EVENTS)
            else:
                self._add_counts(
                    cursor, {key: count for key, count in counts.items() if key not in new_ids}
                )
                self._add_traffic(cursor, rows)
            for state in rows.states:
                cursor.execute(WRITE_STATES, {**state, "states": json.dumps(state["states"])})
            if rows.states:
                cursor.execute("SELECT refresh_model_states()")
                cursor.execute("SELECT first_champions()")
        self._months |= rows.events.keys()

    @staticmethod
    def _create_months(cursor: Cursor, months: Iterable[str]) -> None:
        for month in sorted(months):
            cursor.execute(
                "SELECT make_events_partition(%s::timestamptz)",
                [f"{month.replace('_', '-')}-01T00:00:00Z"],
            )

    def _insert_predictions(
        self, cursor: Cursor, rows: Rows, counts: dict[bytes, list[int]]
    ) -> set[bytes]:
        """Insert predictions with the counts of their events, and return the ids of new ones."""
        if not rows.predictions:
            return set()
        staged = []
        for key, prediction in rows.predictions.items():
            events, last_event_at = counts.get(key, (0, prediction.at))
            staged.append(prediction.row + encode_event_summary(events, last_event_at))
        self._copy(cursor, "staged_predictions", PREDICTION_COLUMNS, staged)
        cursor.execute(INSERT_PREDICTIONS)
        return {bytes.fromhex(key.replace("-", "")) for (key,) in cursor.fetchall()}

    def _add_counts(self, cursor: Cursor, counts: dict[bytes, list[int]]) -> None:
        for batch in _batches(list(counts.items()), COUNT_BATCH):
            columns = (
                (key.hex() for key, _ in batch),
                (str(events) for _, (events, _) in batch),
                (timestamp_text(at) for _, (_, at) in batch),
            )
            cursor.execute(COUNT_EVENTS, [_array(column) for column in columns])
            self._yield_cpu()

    @staticmethod
    def _add_traffic(cursor: Cursor, rows: Rows) -> None:
        traffic = [
            (timestamp_text(minute * MICROSECONDS_PER_MINUTE), version, *sums)
            for (minute, version), sums in rows.traffic.items()
        ]
        if traffic:
            cursor.execute(
                COUNT_TRAFFIC, [_array(map(str, column)) for column in zip(*traffic, strict=True)]
            )

    def _copy(self, cursor: Cursor, table: str, columns: str, rows: Sequence[bytes]) -> None:
        cursor.copy_expert(
            f"COPY {table} ({columns}) FROM STDIN (FORMAT binary, ENCODING 'UTF8')",
            _CopyStream(rows, self._yield_cpu),
        )


class _CopyStream(io.BufferedIOBase):
    """Input of COPY, a few rows at a time."""

    def __init__(self, rows: Sequence[bytes], yield_cpu: Callable[[], object]) -> None:
        super().__init__()
        self._chunks = self._iterate_chunks(rows, yield_cpu)

    def read(self, _size: int | None = -1, /) -> bytes:
        """Return the next chunk, empty at the end."""
        return next(self._chunks, b"")

    @staticmethod
    def _iterate_chunks(rows: Sequence[bytes], yield_cpu: Callable[[], object]) -> Iterator[bytes]:
        yield pg_copy.HEADER
        for batch in _batches(rows, COPY_BATCH):
            yield b"".join(batch)
            yield_cpu()
        yield pg_copy.END


def _batches(items: Sequence[Item], size: int) -> Iterator[Sequence[Item]]:
    for start in range(0, len(items), size):
        yield items[start : start + size]


def _array(values: Iterable[str]) -> str:
    return "{" + ",".join(values) + "}"
