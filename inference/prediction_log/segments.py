"""Journal segments: files of records, one line of JSON each, `<writer>.<number>.jsonl`."""

import contextlib
import fcntl
import os
import re
from dataclasses import dataclass
from pathlib import Path

SUFFIX = ".jsonl"
AT_PATTERN = re.compile(rb'\{"at":(\d+)')
AT_BYTES = 64  # `at` is the first field of a record


@dataclass(frozen=True)
class Segment:
    """A segment for reading. It may disappear at any time, and then reads as empty."""

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
        """Return whether the writer has released its lock, so that the segment does not grow."""
        with self.path.open("rb") as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return False
        return True

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


def list_segments(directory: Path) -> list[Segment]:
    """Return the segments of a journal directory, oldest first."""
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
    """Return the size of all segments of a journal directory."""
    return sum(segment.size for segment in list_segments(directory))
