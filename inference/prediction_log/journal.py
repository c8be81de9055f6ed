"""The journal: what was answered, kept in files until Postgres has it.

One line of JSON per record, one writer per process.

JOURNAL_DIR holds segments, `<writer>.<number>.jsonl`. A writer appends to its last one, with one
write before the answer leaves: that outlives the process, however it ends (not the machine's
power). It holds a lock (flock) on it, which goes with the process, so that the shipper knows when a
segment is complete and may be removed. How far each was shipped stands in `shipped.json`.
"""

import contextlib
import errno
import fcntl
import json
import logging
import os
import re
import secrets
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from inference.errors import JournalFullError
from inference.model_format.card import write_atomically

SUFFIX = ".jsonl"
PROGRESS_FILE = "shipped.json"
# For what a segment is read: its rows go to Postgres, the originals that it holds to their storage.
ROWS, ORIGINALS = "rows", "originals"
SEGMENT_BYTES = 4 * 2**20
# What it describes, as an original, may be deleted by then, and is described again in the next
SEGMENT_SECONDS = 3600.0
# A directory with a smaller bound is filled with at least so many segments.
MIN_SEGMENTS = 8
# How often the directory is looked at: other processes write there, and the shipper removes.
LOOKS_PER_SEGMENT = 4
LOOK_SECONDS = 0.1
AT = re.compile(rb'\{"at":(\d+)')
HEAD_BYTES = 64

Declared = set[str]

logger = logging.getLogger(__name__)


class Journal:
    """Appends to the segments of this process. Any thread may call any method."""

    def __init__(self, directory: Path, limit_bytes: int) -> None:
        """Take a directory that may hold `limit_bytes`, of all processes together, before `append`
        refuses.
        """
        self._directory = directory
        self._limit_bytes = limit_bytes
        self._segment_bytes = max(1, min(SEGMENT_BYTES, limit_bytes // MIN_SEGMENTS))
        self._writer = f"{time.time_ns():x}-{os.getpid():x}-{secrets.token_hex(4)}"
        self._lock = threading.Lock()
        self._number = 0
        self._file = -1
        self._size = 0
        self._opened_at = 0.0
        self._declared: Declared = set()
        self._total = 0
        self._looked_at = 0.0
        self._unlooked = 0
        self.fault: str | None = (
            None  # why the last record could not be written, though there was room
        )

    def pending(self) -> tuple[int, float]:
        """Return how much Postgres does not have yet of all processes, in bytes, and the age of the
        oldest of it, in seconds.
        """
        return pending_bytes(self._directory), pending_seconds(self._directory)

    def total(self) -> int:
        """Return what the files of all processes take, in bytes."""
        return total_bytes(self._directory)

    @property
    def is_full(self) -> bool:
        """Whether the directory holds what it may."""
        return self.total() >= self._limit_bytes

    @property
    def is_half_full(self) -> bool:
        """Whether half of what the directory may hold is there, as far as this process knows."""
        return self._total + self._unlooked > self._limit_bytes // 2

    def append(self, record: Callable[[Declared], bytes], *, beyond_limit: bool = False) -> None:
        """Write a record; it is kept when this returns.

        `record` gives its line, which ends in a newline. It is told what the segment's records have
        declared so far and adds what it declares: a segment can be read without any other. Raises
        JournalFullError.
        """
        with self._lock:
            if not beyond_limit:
                self._admit()
            if (
                self._file < 0
                or self._size >= self._segment_bytes
                or time.monotonic() - self._opened_at > SEGMENT_SECONDS
            ):
                self._open()
            try:
                self._write(record(self._declared))
            except BaseException:
                self._close()  # for what this record has declared is not written
                raise
            self.fault = None

    def close(self) -> None:
        """Let the last segment be complete."""
        with self._lock:
            self._close()

    def _admit(self) -> None:
        """Raise JournalFullError when the directory holds what it may.

        It is over that by one record of each process at most.
        """
        is_due = self._unlooked > self._segment_bytes // LOOKS_PER_SEGMENT
        is_over = self._total + self._unlooked >= self._limit_bytes
        may_have_room = is_over or self.is_half_full  # for the shipper removes
        now = time.monotonic() if is_due or may_have_room else 0.0
        if is_due or (may_have_room and now - self._looked_at > LOOK_SECONDS):
            self._total, self._unlooked, self._looked_at = self.total(), 0, now
            is_over = self._total >= self._limit_bytes
        if is_over:
            raise JournalFullError

    def _write(self, line: bytes) -> None:
        try:
            written = os.write(self._file, line)
            if written != len(line):
                os.ftruncate(self._file, self._size)
                raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        except OSError as error:
            raise self._failed(error) from error
        self._size += written
        self._unlooked += written

    def _open(self) -> None:
        """Begin a segment.

        It gets its name when it is locked: before, the shipper would take it for a complete one.
        """
        self._close()
        self._number += 1
        path = self._directory / f"{self._writer}.{self._number:06d}{SUFFIX}"
        hidden = path.with_suffix(".new")
        try:
            self._directory.mkdir(parents=True, exist_ok=True)
            self._file = os.open(hidden, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_EXCL, 0o600)
            fcntl.flock(self._file, fcntl.LOCK_EX)
            hidden.rename(path)
            self._opened_at = time.monotonic()
        except OSError as error:
            self._close()
            raise self._failed(error) from error

    def _failed(self, error: OSError) -> JournalFullError:
        self.fault = f"The log of predictions cannot be written: {error.strerror}. See JOURNAL_DIR in doc/data.md."
        return JournalFullError(self.fault)

    def _close(self) -> None:
        if self._file >= 0:
            os.close(self._file)
        self._file, self._size, self._declared = -1, 0, set()


@dataclass(frozen=True)
class Segment:
    """A segment as a reader sees it."""

    path: Path

    @property
    def name(self) -> str:
        """Its file's name."""
        return self.path.name

    @property
    def size(self) -> int:
        """Its size in bytes, 0 when it has gone."""
        with contextlib.suppress(FileNotFoundError):
            return self.path.stat().st_size
        return 0

    def is_complete(self) -> bool:
        """Whether nobody writes to it any more."""
        with self.path.open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
        return True

    def lines(self, start: int, end: int) -> list[bytes]:
        """Return the complete lines from an offset in bytes on, until they reach the end or pass
        it.
        """
        with contextlib.suppress(FileNotFoundError), self.path.open("rb") as file:
            file.seek(start)
            lines = file.readlines(max(1, end - start - 1))  # it stops when it has more than that
            return lines if not lines or lines[-1].endswith(b"\n") else lines[:-1]
        return []

    def first_at_microseconds(self, start: int) -> int | None:
        """Return the time (Unix time, µs) of the record at an offset, None where there is none."""
        with contextlib.suppress(FileNotFoundError), self.path.open("rb") as file:
            file.seek(start)
            matched = AT.match(file.read(HEAD_BYTES))
            return int(matched[1]) if matched else None
        return None


class ShippedOffsets:
    """How far each segment was shipped, in bytes, for each of several purposes.

    Kept in a file that others read.
    """

    def __init__(self, directory: Path) -> None:
        self._path = directory / PROGRESS_FILE
        self._lock = threading.Lock()
        self._offsets = read_progress(directory)

    def get(self, purpose: str, segment: Segment) -> int:
        """Return the offset up to which a segment was shipped."""
        with self._lock:
            return self._offsets.get(segment.name, {}).get(purpose, 0)

    def put(self, purpose: str, segment: Segment, offset: int) -> None:
        """Set the offset up to which a segment was shipped."""
        with self._lock:
            self._offsets.setdefault(segment.name, {})[purpose] = offset
            self._save()

    def advance(self, purpose: str, segment: Segment, before: int, offset: int) -> bool:
        """Set the offset unless it is no more what it was before: it is to be shipped again then.

        Return whether it was set.
        """
        with self._lock:
            if self._offsets.get(segment.name, {}).get(purpose, 0) != before:
                return False
            self._offsets.setdefault(segment.name, {})[purpose] = offset
            self._save()
            return True

    def forget(self, segment: Segment) -> None:
        """Forget a segment that was removed."""
        with self._lock:
            if self._offsets.pop(segment.name, None) is not None:
                self._save()

    def _save(self) -> None:
        try:
            write_atomically(self._path, json.dumps(self._offsets).encode(), flush=False)
        except OSError as error:  # of a full disk, which the removal of what was shipped is to free
            logger.warning(
                "How far the log was shipped could not be written to %s: %s",
                self._path,
                error.strerror,
            )


def segments(directory: Path) -> list[Segment]:
    """Return the segments of a directory, oldest first."""
    with (
        contextlib.suppress(FileNotFoundError, NotADirectoryError, PermissionError),
        os.scandir(directory) as entries,
    ):
        return [
            Segment(Path(entry.path))
            for entry in sorted(entries, key=lambda entry: entry.name)
            if entry.name.endswith(SUFFIX)
        ]
    return []


def total_bytes(directory: Path) -> int:
    """Return what the segments of a directory take."""
    return sum(segment.size for segment in segments(directory))


def read_progress(directory: Path) -> dict[str, dict[str, int]]:
    """Return what shipped.json says: offsets by the name of the segment and the purpose."""
    try:
        return dict(json.loads((directory / PROGRESS_FILE).read_bytes()))
    except (OSError, ValueError):  # what was shipped is shipped again, which adds nothing
        return {}


def pending(directory: Path, purpose: str = ROWS) -> Iterator[tuple[Segment, int]]:
    """Yield the segments of which something is to be shipped, oldest first, and from which offset
    on.
    """
    offsets = read_progress(directory)
    for segment in segments(directory):
        offset = offsets.get(segment.name, {}).get(purpose, 0)
        if segment.size > offset:
            yield segment, offset


def pending_bytes(directory: Path) -> int:
    """Return how much of a directory's records Postgres does not have yet, in bytes."""
    return sum(segment.size - offset for segment, offset in pending(directory))


def pending_seconds(directory: Path) -> float:
    """Return the age of the oldest record that Postgres does not have yet, 0 when it has all."""
    times = [segment.first_at_microseconds(offset) for segment, offset in pending(directory)]
    return max((time.time() - at / 1e6 for at in times if at is not None), default=0.0)
