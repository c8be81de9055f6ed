"""Shipper: writes the records of a journal directory to Postgres and removes shipped segments.

Each batch of records is one transaction, which is repeated if its outcome is unknown. The ids of
the rows make a repeated write harmless.

A batch that Postgres cancels for time is halved, down to one record. If Postgres writes others,
that record is postponed: it gets a segment of its own, is retried at longer intervals, and halved.
"""

import logging
import os
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress

import psycopg2
import psycopg2.errors
import psycopg2.extensions

from inference.database.connection import connect, first_line
from inference.observability.background_status import BackgroundStatus
from inference.prediction_log.decoder import InvalidRecordError
from inference.prediction_log.record_parts import divide_record
from inference.prediction_log.segments import (
    SUFFIX,
    Segment,
    create_segment,
    delete_segment,
    list_segments,
    total_bytes,
)
from inference.prediction_log.shipped_offsets import ORIGINALS, ROWS, ShippedOffsets
from inference.prediction_log.writer import TableWriter
from inference.runtime.malloc import trim_heap
from inference.settings import Settings

# Larger batches cost less, but a label waits a second at most for its prediction.
POLL_SECONDS = 0.5
RETRY_SECONDS = 1.0
# A segment at most, which is in memory meanwhile. Costs that requests share are paid once per batch
BATCH_BYTES = 4 * 2**20
# A batch that was halved grows again when it takes less, a tenth of the statement timeout.
MAX_GROWTH_SECONDS = 3.0
# Shipping leaves gaps in the heap. They are returned to the system when the shipper is idle.
TRIM_BYTES = 2**20
# Originals that are not archived yet may fill these shares of the journal, first when their store
# fails. The rest is reserved for predictions.
MAX_FAILING_SHARE, MAX_WAITING_SHARE = 1 / 2, 7 / 8
QUARANTINE_FILE = "refused.log"
QUARANTINE_BYTES = 16 * 2**20  # enough to find the reason
# Errors that a record itself causes. All others may disappear with time.
RECORD_ERRORS = (InvalidRecordError, psycopg2.DataError, psycopg2.IntegrityError)
# Errors of a transaction that takes too long or needs too much, which a smaller one may not
SIZE_ERRORS = (
    psycopg2.errors.QueryCanceled,
    psycopg2.errors.LockNotAvailable,
    psycopg2.errors.TransactionTimeout,
    psycopg2.errors.IdleInTransactionSessionTimeout,
    psycopg2.errors.OutOfMemory,
    psycopg2.errors.ConfigurationLimitExceeded,
)
MAX_LOSSES = 3  # of the connection during one batch, after which the batch counts as the cause
POSTPONED = "postponed-"  # start of the name of a postponed record's segment, which sorts last
MIN_POSTPONE_SECONDS, MAX_POSTPONE_SECONDS = 30.0, 300.0  # doubled with each failure

Connection = psycopg2.extensions.connection

logger = logging.getLogger(__name__)


class Shipper:
    """Ships a journal directory."""

    def __init__(
        self,
        settings: Settings,
        offsets: ShippedOffsets,
        *,
        yield_cpu: Callable[[], object] = lambda: None,
        is_storage_failing: Callable[[], bool] = lambda: False,
        between_batches: Callable[[Connection], object] = lambda _connection: None,
        remove_segment: Callable[[Segment, int], object] = lambda segment, _size: delete_segment(
            segment.path
        ),
        status: BackgroundStatus | None = None,
    ) -> None:
        """Set up without connecting.

        yield_cpu: called between small pieces of work, so that requests come first.
        is_storage_failing: tells whether originals currently cannot be archived.
        between_batches: called with the shipper's connection in each round and after each batch.
        remove_segment: deletes a segment whose bytes, the given number of them, are processed.
        status: counts of the metrics.
        """
        self._directory = settings.journal_dir
        self._offsets = offsets
        self._stores_images = settings.stores_images
        self._limit_bytes = settings.journal_bytes
        self._yield_cpu = yield_cpu
        self._is_storage_failing = is_storage_failing
        self._between_batches = between_batches
        self._remove_segment = remove_segment
        self._status = status or BackgroundStatus()
        self._is_behind = False
        self._batch_bytes = BATCH_BYTES
        self._losses = ("", 0, 0)  # segment and offset of a batch, see _count_losses
        # time.monotonic() of the next attempt and the interval before it, by postponed segment
        self._postponed: dict[str, tuple[float, float]] = {}
        self._writer: TableWriter | None = None
        # End of the records that are shipped again because the database lost them, by segment
        self._rewound: dict[str, int] = {}

    def run(self, stopping: threading.Event) -> None:
        """Ship until `stopping` is set, and once more after that."""
        is_failing, untrimmed_bytes = False, 0
        while True:
            is_last = stopping.is_set()
            try:
                self._between_batches(self._connect().connection)
                shipped_bytes = self.ship()
                is_failing = False
            except (psycopg2.Error, OSError) as error:
                if not is_failing:
                    logger.warning(
                        "The prediction log waits in %s. %s", self._directory, first_line(error)
                    )
                is_failing, shipped_bytes = True, 0
                self.disconnect()
            self._status.end_round(is_failing=is_failing)
            if is_last:
                return
            untrimmed_bytes += shipped_bytes
            if not shipped_bytes and untrimmed_bytes > TRIM_BYTES:
                trim_heap()
                untrimmed_bytes = 0
            if is_failing or shipped_bytes < BATCH_BYTES:
                stopping.wait(RETRY_SECONDS if is_failing else POLL_SECONDS)

    def ship(self) -> int:
        """Ship all pending records and return their size in bytes.

        Raises psycopg2.Error, and OSError after all other segments when one cannot be read.
        """
        shipped_bytes, failures = 0, []
        for segment in list_segments(self._directory):
            try:
                shipped_bytes += self._ship_segment(segment)
            except FileNotFoundError:  # another program removed it
                continue
            except OSError as error:
                failures.append(error)
        for failure in failures:
            raise failure
        return shipped_bytes

    def disconnect(self) -> None:
        """Close the connection to Postgres, if there is one."""
        if self._writer is not None:
            with suppress(psycopg2.Error):
                self._writer.connection.close()
            self._writer = None

    def _ship_segment(self, segment: Segment) -> int:
        if time.monotonic() < self._postponed.get(segment.name, (0.0, 0.0))[0]:
            return 0
        shipped_bytes = 0
        is_complete = segment.is_complete()  # before its size, which is final then
        offset, size = self._offsets.get(ROWS, segment), segment.path.stat().st_size
        while offset < size:
            lines = segment.lines(offset, min(size, offset + self._batch_bytes))
            self._is_behind = size - offset >= BATCH_BYTES
            if not lines:
                break  # an incomplete last line, whose request got no response
            batch_bytes = sum(map(len, lines))
            self._connect()
            try:
                started = time.monotonic()
                self._write(lines, may_rewind=segment.name not in self._rewound)
                if time.monotonic() - started < MAX_GROWTH_SECONDS:
                    self._batch_bytes = min(2 * self._batch_bytes, BATCH_BYTES)
            except psycopg2.errors.ForeignKeyViolation:
                # The database does not have the earlier records, for example a new database.
                self._rewound[segment.name] = offset
                offset = 0
                continue
            except (*SIZE_ERRORS, psycopg2.OperationalError) as error:
                if len(lines) > 1:
                    self._batch_bytes = sum(map(len, lines[: len(lines) // 2]))
                losses = (
                    0 if isinstance(error, SIZE_ERRORS) else self._count_losses(segment, offset)
                )
                if 0 < losses < MAX_LOSSES:
                    raise  # the connection is lost, which may have any reason at first
                if len(lines) > 1:
                    continue
                if not self._postpone(segment, lines[0], error):
                    return shipped_bytes
            offset += batch_bytes
            shipped_bytes += batch_bytes
            self._status.count_shipped(len(lines), batch_bytes)
            self._offsets.put(ROWS, segment, offset)
            if offset > self._rewound.get(segment.name, offset):
                del self._rewound[segment.name]
                self._offsets.put(ORIGINALS, segment, 0)  # the rows of their images are new
            self._between_batches(self._connect().connection)
        if is_complete and not self._is_waiting_for_originals(segment, offset):
            self._remove_segment(segment, size)
            self._offsets.remove(segment)
            self._rewound.pop(segment.name, None)
            self._postponed.pop(segment.name, None)
        return shipped_bytes

    def _count_losses(self, segment: Segment, offset: int) -> int:
        """Return how often in succession the connection was lost while a batch was written."""
        name, lost_offset, count = self._losses
        count = count + 1 if (name, lost_offset) == (segment.name, offset) else 1
        self._losses = segment.name, offset, count
        return count

    def _postpone(self, segment: Segment, line: bytes, error: Exception) -> bool:
        """Put a record aside, or its halves if it was put aside before, and return whether it was.

        A single prediction stays in its segment of its own. Raises psycopg2.Error when Postgres
        does not even write the descriptions in time, which other records need.
        """
        descriptions, halves = divide_record(line)
        self._write([descriptions], may_rewind=False)
        parts = halves if segment.name.startswith(POSTPONED) else [line]
        _, seconds = self._postponed.get(segment.name, (0.0, MIN_POSTPONE_SECONDS))
        retry_at = time.monotonic() + seconds
        if not parts:
            seconds = min(2 * seconds, MAX_POSTPONE_SECONDS)
            self._postponed[segment.name] = retry_at, seconds
            return False
        for index, part in enumerate(parts):
            name = f"{POSTPONED}{time.time_ns():x}-{os.getpid():x}-{index}{SUFFIX}"
            os.close(create_segment(self._directory / name, part))
            if part is line:
                self._postponed[name] = retry_at, seconds
        self._status.shipper.postponed += 1
        logger.warning(
            "A record of the prediction log is postponed, because Postgres did not write it: %s",
            first_line(error),
        )
        return True

    def _yield_cpu_unless_behind(self) -> None:
        if not self._is_behind:
            self._yield_cpu()

    def _is_waiting_for_originals(self, segment: Segment, offset: int) -> bool:
        """Return whether a segment is kept for its originals. Too little space gives them up."""
        if not self._stores_images or self._offsets.get(ORIGINALS, segment) >= offset:
            return False
        is_failing = self._is_storage_failing()
        max_share = MAX_FAILING_SHARE if is_failing else MAX_WAITING_SHARE
        if total_bytes(self._directory) < self._limit_bytes * max_share:
            return True
        logger.error(
            "Original images are dropped because the prediction log is almost full. %s",
            "Their storage fails." if is_failing else "They arrive faster than they are stored.",
        )
        return False

    def _write(self, lines: Sequence[bytes], *, may_rewind: bool) -> None:
        """Write records. A record that fails is found by bisection and quarantined.

        Raises psycopg2.Error. ForeignKeyViolation is raised only if the caller may rewind to the
        beginning of the segment.
        """
        try:
            self._connect().write(lines)
        except RECORD_ERRORS as error:
            if may_rewind and isinstance(error, psycopg2.errors.ForeignKeyViolation):
                raise
            if len(lines) == 1:
                self._quarantine(lines[0], error)
                return
            middle = len(lines) // 2
            self._write(lines[:middle], may_rewind=may_rewind)
            self._write(lines[middle:], may_rewind=may_rewind)

    def _connect(self) -> TableWriter:
        if self._writer is None or self._writer.connection.closed:
            self._writer = TableWriter(connect("mlops shipper"), self._yield_cpu_unless_behind)
        return self._writer

    def _quarantine(self, line: bytes, error: Exception) -> None:
        """Append a record that cannot be written to a file, up to QUARANTINE_BYTES."""
        self._status.shipper.quarantined += 1
        path = self._directory / QUARANTINE_FILE
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "ab") as file:
            if file.tell() < QUARANTINE_BYTES:
                file.write(line)
        logger.error(
            "A record of the prediction log cannot be stored and is in %s. %s",
            path,
            first_line(error),
        )
