"""Journal: an append-only log of records on disk, from which the shipper fills Postgres.

Each process appends to its own segments, with one write per record. A record outlives the process,
however it ends, but not a power failure. The writer holds a lock (flock) on its open segment. The
lock ends with the process and tells the shipper that the segment is complete.

Another program may remove, move, replace or truncate the file of an open segment. A thread notices
it and copies the records, which the open file still has, to a file that is in place.
"""

import bisect
import contextlib
import errno
import fcntl
import itertools
import logging
import os
import secrets
import threading
import time
from array import array
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from inference.errors import JournalFullError
from inference.prediction_log.rescuer import LOST_TEXT, restore_if_lost
from inference.prediction_log.segments import (
    SUFFIX,
    create_segment,
    delete_segment,
    intact_records,
    is_at,
    total_bytes,
)
from inference.prediction_log.shipped_offsets import ROWS, read_offsets

SEGMENT_BYTES = 4 * 2**20
# An original that a segment holds may expire within this time. The next segment holds it again.
SEGMENT_SECONDS = 3600.0
MIN_SEGMENTS = 8  # that a full directory consists of
# The size of the directory is measured again after this share of a segment, because other
# processes write to it. Near the limit the interval is in seconds, because the shipper frees space.
MEASUREMENTS_PER_SEGMENT = 4
MEASUREMENT_SECONDS = 0.1
CHECK_SECONDS = 0.5  # between two looks at the file of the open segment
# A full segment stays open this long. Until then, the rescuer has opened it, too.
RETIREMENT_SECONDS = 2.0

logger = logging.getLogger(__name__)


class _RetiredSegment(NamedTuple):
    """A full segment, still open, and the time.monotonic() since which it is."""

    file: int
    path: Path
    retired_at: float


class Journal:
    """Appends records to the segments of this process.

    Call `begin_record` before each `append`, and no other thread in between.
    """

    def __init__(
        self,
        directory: Path,
        limit_bytes: int,
        count_lost: Callable[[int], object] = lambda _records: None,
    ) -> None:
        """Use a directory. `limit_bytes` applies to the segments of all processes together.

        count_lost: called with the number of records that another program destroyed.
        """
        self.directory = directory
        self._write_failure: str | None = None  # of the last record, unless it was the limit
        self._access_failure: str | None = None  # of the last check
        self._limit_bytes = limit_bytes
        self._segment_bytes = max(1, min(SEGMENT_BYTES, limit_bytes // MIN_SEGMENTS))
        self._writer = f"{time.time_ns():x}-{os.getpid():x}-{secrets.token_hex(4)}"
        self._lock = threading.Lock()
        self._segment_number = 0
        self._path = directory
        self._file = -1
        self._size = 0
        self._ends = array("Q")  # offset of the end of each record in the open segment
        self._is_displaced = False  # the open file is lost for the shipper and not copied yet
        self._is_recording = False  # between begin_record and append the segment must not change
        self._count_lost = count_lost
        self._retired: list[_RetiredSegment] = []
        self._closing = threading.Event()
        self._opened_at = 0.0
        self._measured_bytes = 0
        self._measured_at = 0.0
        self._unmeasured_bytes = 0

    @property
    def failure(self) -> str | None:
        """Reason why the journal does not work although its limit is not reached."""
        return self._write_failure or self._access_failure

    @property
    def is_full(self) -> bool:
        """Whether the directory has reached its limit. Raises OSError."""
        return total_bytes(self.directory) >= self._limit_bytes

    @property
    def is_half_full(self) -> bool:
        """Whether the directory has reached half of its limit, by the last measurement."""
        return self._measured_bytes + self._unmeasured_bytes > self._limit_bytes // 2

    def begin_record(self, *, is_limited: bool = True) -> int:
        """Return the number of the segment for the next record, and open the segment if needed.

        Raises JournalFullError.
        """
        with self._lock:
            if is_limited:
                self._check_limit()
            if self._is_displaced:
                self._check()
            if (
                self._file < 0
                or self._size >= self._segment_bytes
                or time.monotonic() - self._opened_at > SEGMENT_SECONDS
            ):
                self._open_segment()
            self._is_recording = True
            return self._segment_number

    def append(self, line: bytes) -> None:
        """Write a record, a line that ends in a newline. It is durable when this returns.

        Raises JournalFullError. The next record then gets a new segment.
        """
        with self._lock:
            self._is_recording = False
            try:
                written = os.write(self._file, line)
                if written != len(line):
                    os.ftruncate(self._file, self._size)
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            except OSError as error:
                self._close_segment()
                raise self._fail(error) from error
            self._size += written
            self._ends.append(self._size)
            self._unmeasured_bytes += written
            self._write_failure = None

    def watch(self) -> None:
        """Start a thread that calls `check` until `close`."""
        threading.Thread(target=self._watch, name="journal", daemon=True).start()

    def check(self) -> None:
        """Look at the file of the open segment, and restore it if another program changed it."""
        with self._lock, contextlib.suppress(JournalFullError):
            if not self._is_recording:
                self._check()

    def close(self) -> None:
        """Complete the open segment, and stop the thread."""
        self._closing.set()
        with self._lock:
            with contextlib.suppress(JournalFullError):
                self._check()
            self._close_segment()
            for segment in self._retired:
                os.close(segment.file)
            self._retired.clear()

    def _check_limit(self) -> None:
        """Raise JournalFullError when the directory has reached its limit.

        It exceeds the limit by at most one record of each process.
        """
        is_over = self._measured_bytes + self._unmeasured_bytes >= self._limit_bytes
        is_due = self._unmeasured_bytes > self._segment_bytes // MEASUREMENTS_PER_SEGMENT
        is_near = is_over or self.is_half_full
        now = time.monotonic() if is_due or is_near else 0.0
        if is_due or (is_near and now - self._measured_at > MEASUREMENT_SECONDS):
            with contextlib.suppress(OSError):  # an unreadable directory does not stop predictions
                self._measured_bytes = total_bytes(self.directory)
                self._unmeasured_bytes, self._measured_at = 0, now
            is_over = self._measured_bytes + self._unmeasured_bytes >= self._limit_bytes
        if is_over:
            raise JournalFullError

    def _watch(self) -> None:
        while not self._closing.wait(CHECK_SECONDS):
            self.check()

    def _open_segment(self) -> None:
        """Open the next segment. Raises JournalFullError."""
        self._check()
        if self._file >= 0:
            fcntl.flock(self._file, fcntl.LOCK_UN)
            self._retired.append(_RetiredSegment(self._file, self._path, time.monotonic()))
            self._file, self._size = -1, 0
        self._segment_number += 1
        self._open_file(self._next_path(), b"")
        self._ends = array("Q")

    def _next_path(self) -> Path:
        return self.directory / f"{self._writer}.{self._segment_number:06d}{SUFFIX}"

    def _open_file(self, path: Path, content: bytes) -> None:
        """Replace the open file with a new one. Raises JournalFullError."""
        try:
            file = create_segment(path, content)
        except OSError as error:
            raise self._fail(error) from error
        self._close_segment()
        self._path, self._file, self._size = path, file, len(content)
        self._opened_at = time.monotonic()

    def _check(self) -> None:
        """Restore the segment if its file is not in place. Raises JournalFullError.

        Predictions are refused until it is restored.
        """
        self._access_failure = None
        self._check_retired_segments()
        if self._file < 0:
            return
        try:
            is_in_place = is_at(self._file, self._path)
        except OSError as error:  # the records are safe, but the shipper cannot read them
            self._access_failure = self._explain("read", error)
            return
        is_changed = os.fstat(self._file).st_size != self._size
        self._is_displaced = is_changed or not is_in_place
        if is_changed:
            self._replace_changed_file(is_in_place=is_in_place)
        elif not is_in_place:
            self._replace_lost_file()
        self._is_displaced = False

    def _check_retired_segments(self) -> None:
        """Restore full segments that another program removed, and close those old enough."""
        for segment in list(self._retired):
            with contextlib.suppress(OSError):
                is_lost = restore_if_lost(segment.file, segment.path)
                if is_lost or time.monotonic() - segment.retired_at > RETIREMENT_SECONDS:
                    self._retired.remove(segment)
                    os.close(segment.file)

    def _replace_lost_file(self) -> None:
        """Copy the open file to its path. If another file is there, copy it to the next one.

        Under the same name, the shipped offsets remain valid.
        """
        lost_path = self._path
        if os.path.lexists(lost_path):
            self._segment_number += 1
        self._open_file(self._next_path(), os.pread(self._file, self._size, 0))
        logger.error(LOST_TEXT, lost_path, self._path)

    def _replace_changed_file(self, *, is_in_place: bool) -> None:
        """Copy the intact records of the open file to the next segment."""
        records = intact_records(os.pread(self._file, os.fstat(self._file).st_size, 0))
        changed_path = self._path
        shipped = read_offsets(self.directory).get(changed_path.name, {}).get(ROWS, 0)
        unshipped_count = len(self._ends) - bisect.bisect_right(self._ends, shipped)
        lost_count = max(0, min(len(self._ends) - len(records), unshipped_count))
        self._segment_number += 1
        changed_file = os.dup(self._file)  # keeps its lock
        try:
            self._open_file(self._next_path(), b"".join(records))
            if is_in_place:
                delete_segment(changed_path)
        finally:
            os.close(changed_file)
        self._ends = array("Q", itertools.accumulate(map(len, records)))
        self._count_lost(lost_count)
        logger.error(
            "Another program changed %s. Up to %d records are lost."
            " The prediction log continues in %s.",
            changed_path,
            lost_count,
            self._path,
        )

    def _close_segment(self) -> None:
        if self._file >= 0:
            os.close(self._file)
        self._file, self._size = -1, 0

    def _fail(self, error: OSError) -> JournalFullError:
        self._write_failure = self._explain("written", error)
        return JournalFullError(self._write_failure)

    @staticmethod
    def _explain(verb: str, error: OSError) -> str:
        return (
            f"The prediction log cannot be {verb}: {error.strerror}."
            " See JOURNAL_DIR in doc/data.md."
        )
