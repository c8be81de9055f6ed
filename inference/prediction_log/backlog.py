"""Backlog: the journal records that are not in Postgres yet.

All functions raise OSError for a directory that cannot be read.
"""

import threading
import time
from collections.abc import Iterable, Iterator
from pathlib import Path

from inference.prediction_log.segments import Segment, list_segments
from inference.prediction_log.shipped_offsets import ROWS, read_offsets


def pending_bytes(directory: Path) -> int:
    """Return the size of the backlog of all processes, in bytes."""
    return sum(segment.size - offset for segment, offset in _pending(directory))


def pending_seconds(directory: Path) -> float:
    """Return the age of the oldest pending record, 0 without one."""
    return _age(_pending(directory))


class Backlog:
    """Size and age of the backlog of a directory.

    A record that waits is at least as old as this object has seen it wait. So a clock that is set
    back does not make a log that stands still look young.
    """

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._lock = threading.Lock()
        # Offset of the oldest pending record and time.monotonic() of its first sight, by segment
        self._seen: dict[str, tuple[int, float]] = {}

    def measure(self) -> tuple[int, float]:
        """Return the size in bytes and the age of the oldest record in seconds."""
        pending, now = list(_pending(self._directory)), time.monotonic()
        with self._lock:
            seen, self._seen = self._seen, {}
            for segment, offset in pending:
                previous = seen.get(segment.name)
                is_same = previous is not None and previous[0] == offset
                self._seen[segment.name] = previous if previous and is_same else (offset, now)
            waited = max((now - since for _, since in self._seen.values()), default=0.0)
        size = sum(segment.size - offset for segment, offset in pending)
        return size, max(waited, _age(pending))


def _age(pending: Iterable[tuple[Segment, int]]) -> float:
    times = [segment.record_at(offset) for segment, offset in pending]
    return max((time.time() - at / 1e6 for at in times if at is not None), default=0.0)


def _pending(directory: Path) -> Iterator[tuple[Segment, int]]:
    """Yield the segments with pending records, oldest first, and the offset of the first one."""
    offsets = read_offsets(directory)
    for segment in list_segments(directory):
        offset = offsets.get(segment.name, {}).get(ROWS, 0)
        if segment.size > offset:
            yield segment, offset
