"""Journal: an append-only log of records on disk, from which the shipper fills Postgres.

Each process appends to its own segments, with one write per record. A record outlives the process,
however it ends, but not a power failure. The writer holds a lock (flock) on its open segment. The
lock ends with the process and tells the shipper that the segment is complete.
"""

import errno
import fcntl
import os
import secrets
import threading
import time
from pathlib import Path

from inference.errors import JournalFullError
from inference.prediction_log.segments import SUFFIX, total_bytes

SEGMENT_BYTES = 4 * 2**20
# An original that a segment holds may expire within this time. The next segment holds it again.
SEGMENT_SECONDS = 3600.0
MIN_SEGMENTS = 8  # that a full directory consists of
# The size of the directory is measured again after this share of a segment, because other
# processes write to it. Near the limit the interval is in seconds, because the shipper frees space.
MEASUREMENTS_PER_SEGMENT = 4
MEASUREMENT_SECONDS = 0.1


class Journal:
    """Appends records to the segments of this process.

    Call `begin_record` before each `append`, and no other thread in between.
    """

    def __init__(self, directory: Path, limit_bytes: int) -> None:
        """Use a directory. `limit_bytes` applies to the segments of all processes together."""
        self.directory = directory
        # Reason why the last record could not be written although the limit was not reached
        self.failure: str | None = None
        self._limit_bytes = limit_bytes
        self._segment_bytes = max(1, min(SEGMENT_BYTES, limit_bytes // MIN_SEGMENTS))
        self._writer = f"{time.time_ns():x}-{os.getpid():x}-{secrets.token_hex(4)}"
        self._lock = threading.Lock()
        self._segment_number = 0
        self._file = -1
        self._size = 0
        self._opened_at = 0.0
        self._measured_bytes = 0
        self._measured_at = 0.0
        self._unmeasured_bytes = 0

    @property
    def is_full(self) -> bool:
        """Whether the directory has reached its limit."""
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
            if (
                self._file < 0
                or self._size >= self._segment_bytes
                or time.monotonic() - self._opened_at > SEGMENT_SECONDS
            ):
                self._open_segment()
            return self._segment_number

    def append(self, line: bytes) -> None:
        """Write a record, a line that ends in a newline. It is durable when this returns.

        Raises JournalFullError. The next record then gets a new segment.
        """
        with self._lock:
            try:
                written = os.write(self._file, line)
                if written != len(line):
                    os.ftruncate(self._file, self._size)
                    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
            except OSError as error:
                self._close_segment()
                raise self._fail(error) from error
            self._size += written
            self._unmeasured_bytes += written
            self.failure = None

    def close(self) -> None:
        """Complete the open segment."""
        with self._lock:
            self._close_segment()

    def _check_limit(self) -> None:
        """Raise JournalFullError when the directory has reached its limit.

        It exceeds the limit by at most one record of each process.
        """
        is_over = self._measured_bytes + self._unmeasured_bytes >= self._limit_bytes
        is_due = self._unmeasured_bytes > self._segment_bytes // MEASUREMENTS_PER_SEGMENT
        is_near = is_over or self.is_half_full
        now = time.monotonic() if is_due or is_near else 0.0
        if is_due or (is_near and now - self._measured_at > MEASUREMENT_SECONDS):
            self._measured_bytes = total_bytes(self.directory)
            self._unmeasured_bytes, self._measured_at = 0, now
            is_over = self._measured_bytes >= self._limit_bytes
        if is_over:
            raise JournalFullError

    def _open_segment(self) -> None:
        """Open the next segment.

        Its final name follows after its lock. The shipper would take it for complete otherwise.
        """
        self._close_segment()
        self._segment_number += 1
        path = self.directory / f"{self._writer}.{self._segment_number:06d}{SUFFIX}"
        hidden = path.with_suffix(".new")
        try:
            self.directory.mkdir(parents=True, exist_ok=True)
            self._file = os.open(hidden, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL, 0o600)
            fcntl.flock(self._file, fcntl.LOCK_EX)
            hidden.rename(path)
            self._opened_at = time.monotonic()
        except OSError as error:
            self._close_segment()
            raise self._fail(error) from error

    def _close_segment(self) -> None:
        if self._file >= 0:
            os.close(self._file)
        self._file, self._size = -1, 0

    def _fail(self, error: OSError) -> JournalFullError:
        self.failure = (
            f"The prediction log cannot be written: {error.strerror}."
            " See JOURNAL_DIR in doc/data.md."
        )
        return JournalFullError(self.failure)
