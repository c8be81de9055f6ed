"""Backlog: the journal records that are not in Postgres yet."""

import time
from collections.abc import Iterator
from pathlib import Path

from inference.prediction_log.segments import Segment, list_segments
from inference.prediction_log.shipped_offsets import ROWS, read_offsets


def pending_bytes(directory: Path) -> int:
    """Return the size of the backlog of all processes, in bytes."""
    return sum(segment.size - offset for segment, offset in _pending(directory))


def pending_seconds(directory: Path) -> float:
    """Return the age of the oldest pending record, 0 without one."""
    times = [segment.record_at(offset) for segment, offset in _pending(directory)]
    return max((time.time() - at / 1e6 for at in times if at is not None), default=0.0)


def _pending(directory: Path) -> Iterator[tuple[Segment, int]]:
    """Yield the segments with pending records, oldest first, and the offset of the first one."""
    offsets = read_offsets(directory)
    for segment in list_segments(directory):
        offset = offsets.get(segment.name, {}).get(ROWS, 0)
        if segment.size > offset:
            yield segment, offset
