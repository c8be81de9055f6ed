"""Journal segments: files of records, one line of JSON each, `<writer>.<number>.jsonl`."""

import contextlib
import errno
import fcntl
import os
import re
from dataclasses import dataclass
from pathlib import Path

SUFFIX = ".jsonl"
AT_PATTERN = re.compile(rb'\{"at":(\d+)')
AT_BYTES = 64  # `at` is the first field of a record
RECORD_START = b'{"at":'  # nowhere else in a record, because JSON escapes quotes in strings


@dataclass(frozen=True)
class Segment:
    """A segment for reading. It may disappear at any time, and then reads as empty.

    All methods raise OSError for a file that exists and cannot be read.
    """

    path: Path

    @property
    def name(self) -> str:
        """File name."""
        return self.path.name

    @property
    def size(self) -> int:
        """Size in bytes."""
        with contextlib.suppress(FileNotFoundError):
            return self.path.stat().st_size
        return 0

    def is_complete(self) -> bool:
        """Return whether the writer has released its lock, so that the segment does not grow.

        Raises FileNotFoundError.
        """
        with self.path.open("rb") as file:
            return not is_locked(file.fileno())

    def lines(self, start: int, end: int) -> list[bytes]:
        """Return the complete lines from an offset up to the line that reaches the end offset."""
        with contextlib.suppress(FileNotFoundError), self.path.open("rb") as file:
            file.seek(start)
            # readlines stops after the line that exceeds its hint.
            lines = file.readlines(max(1, end - start - 1))
            return lines if not lines or lines[-1].endswith(b"\n") else lines[:-1]
        return []

    def record_at(self, offset: int) -> int | None:
        """Return the time of the record at an offset (Unix time, us), None without a record."""
        with contextlib.suppress(FileNotFoundError), self.path.open("rb") as file:
            file.seek(offset)
            matched = AT_PATTERN.match(file.read(AT_BYTES))
            return int(matched[1]) if matched else None
        return None


def create_segment(path: Path, content: bytes = b"") -> int:
    """Create a segment with its first records, and return it open and locked. Raises OSError.

    Its final name follows after its lock. The shipper would take it for complete otherwise.
    """
    hidden = path.with_suffix(".new")
    path.parent.mkdir(parents=True, exist_ok=True)
    hidden.unlink(missing_ok=True)  # of a process that was killed here
    file = os.open(hidden, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        if content and os.write(file, content) != len(content):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        hidden.rename(path)
    except OSError:
        os.close(file)
        hidden.unlink(missing_ok=True)
        raise
    return file


def delete_segment(path: Path) -> None:
    """Delete a segment that nothing needs. Raises OSError.

    It is emptied first, which tells those that have it open that it is not lost.
    """
    with contextlib.suppress(FileNotFoundError):
        os.truncate(path, 0)
        path.unlink()


def is_locked(file: int) -> bool:
    """Return whether the writer of an open segment holds its lock."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    fcntl.flock(file, fcntl.LOCK_UN)
    return False


def is_at(file: int, path: Path) -> bool:
    """Return whether an open file is the one at a path. Raises OSError without access to it."""
    try:
        return os.path.samestat(os.fstat(file), path.stat())
    except (FileNotFoundError, NotADirectoryError):
        return False


def intact_records(content: bytes) -> list[bytes]:
    """Return the records of a file that was cut or extended, without what is left of others.

    A record that follows the rest of another one in the same line is intact.
    """
    lines = content.split(b"\n")[:-1]
    return [line[line.rfind(RECORD_START) :] + b"\n" for line in lines if RECORD_START in line]


def list_segments(directory: Path) -> list[Segment]:
    """Return the segments of a journal directory, oldest first. Raises OSError.

    A missing directory has none.
    """
    with contextlib.suppress(FileNotFoundError), os.scandir(directory) as entries:
        return [
            Segment(Path(entry.path))
            for entry in sorted(entries, key=lambda entry: entry.name)
            if entry.name.endswith(SUFFIX)
        ]
    return []


def total_bytes(directory: Path) -> int:
    """Return the size of all segments of a journal directory. Raises OSError."""
    return sum(segment.size for segment in list_segments(directory))
