"""Shipped offsets: the position up to which each segment is processed, kept in `shipped.json`."""

import json
import logging
import threading
from pathlib import Path

from inference.model_format.atomic_file import write_atomically
from inference.prediction_log.segments import Segment

OFFSETS_FILE = "shipped.json"
# Purposes, which have separate offsets: rows go to Postgres, originals to their store.
ROWS, ORIGINALS = "rows", "originals"

logger = logging.getLogger(__name__)


class ShippedOffsets:
    """Offsets in bytes, by segment and purpose. Thread-safe."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / OFFSETS_FILE
        self._lock = threading.Lock()
        self._offsets = read_offsets(directory)

    def get(self, purpose: str, segment: Segment) -> int:
        """Return an offset, 0 for a new segment."""
        with self._lock:
            return self._get(purpose, segment)

    def put(self, purpose: str, segment: Segment, offset: int) -> None:
        """Set an offset."""
        with self._lock:
            self._put(purpose, segment, offset)

    def advance(self, purpose: str, segment: Segment, previous: int, offset: int) -> bool:
        """Set an offset if it is still the previous one, and return whether it was.

        Another thread may have reset it to process the segment again.
        """
        with self._lock:
            if self._get(purpose, segment) != previous:
                return False
            self._put(purpose, segment, offset)
            return True

    def remove(self, segment: Segment) -> None:
        """Remove the offsets of a deleted segment."""
        with self._lock:
            if self._offsets.pop(segment.name, None) is not None:
                self._save()

    def _get(self, purpose: str, segment: Segment) -> int:
        return self._offsets.get(segment.name, {}).get(purpose, 0)

    def _put(self, purpose: str, segment: Segment, offset: int) -> None:
        self._offsets.setdefault(segment.name, {})[purpose] = offset
        self._save()

    def _save(self) -> None:
        try:
            write_atomically(self._path, json.dumps(self._offsets).encode(), flush=False)
        except OSError as error:  # a full disk must not stop the shipper, which frees space
            logger.warning(
                "Cannot write the shipped offsets to %s: %s.", self._path, error.strerror
            )


def read_offsets(directory: Path) -> dict[str, dict[str, int]]:
    """Return the offsets in a journal directory, by segment name and purpose.

    A file of any other content counts as missing: records are shipped again, which adds nothing.
    """
    try:
        offsets = json.loads((directory / OFFSETS_FILE).read_bytes())
        return {
            segment: {purpose: int(offset) for purpose, offset in own.items()}
            for segment, own in offsets.items()
        }
    except (OSError, AttributeError, TypeError, ValueError):
        return {}
