"""Segment rescuer: restores segments that another program removes before they are shipped.

It holds the segments of a directory open, so that their records outlive the removal of the files.
A writer that runs restores its open segment itself (journal.py). The rescuer restores the complete
segments, and those of a writer that was killed.
"""

import logging
import os
import threading
from pathlib import Path

from inference.prediction_log.segments import (
    SUFFIX,
    Segment,
    create_segment,
    delete_segment,
    intact_records,
    is_at,
    is_locked,
    list_segments,
)

MAX_OPEN = 512  # segments, 2 GiB; the oldest ones, which are shipped next

LOST_TEXT = "Another program removed or replaced %s. All of its records are in %s."

logger = logging.getLogger(__name__)


def restore_if_lost(file: int, path: Path) -> bool:
    """Copy an open, complete segment to its path if another program removed it.

    If another file is there, the copy gets another name, the same in each process. Records that
    Postgres has already are shipped again, which adds nothing. Return whether the segment was no
    longer at its path, also if the shipper has deleted it. Raises OSError.
    """
    if is_at(file, path):
        return False
    content = b"".join(intact_records(os.pread(file, os.fstat(file).st_size, 0)))
    copy = path.with_name(f"{path.stem}-copy{SUFFIX}")
    if not content or _is_start(content, path) or _is_start(content, copy):
        return True  # deleted by the shipper, or restored by another process
    if not os.path.lexists(path):
        copy = path
    os.close(create_segment(copy, content))
    logger.error(LOST_TEXT, path, copy)
    return True


class SegmentRescuer:
    """Open files of all segments of a directory. Thread-safe."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory
        self._lock = threading.Lock()
        self._files: dict[str, int] = {}
        self._sizes: dict[str, int] = {}  # at the last check

    def check(self) -> None:
        """Open new segments, and restore those that are missing.

        Raises OSError after all others when one cannot be restored.
        """
        failures = []
        with self._lock:
            for name in list(self._files):
                try:
                    self._check_segment(name)
                except OSError as error:
                    failures.append(error)
            self._open_new_segments()
        for failure in failures:
            raise failure

    def remove(self, segment: Segment, size: int) -> bool:
        """Delete a segment whose bytes are all processed, and return whether that was so.

        A segment that another program has just replaced is kept.
        """
        with self._lock:
            file = self._files.get(segment.name)
            if file is not None and (
                os.fstat(file).st_size > size or not is_at(file, segment.path)
            ):
                return False
            delete_segment(segment.path)
            self._forget(segment.name)
            return True

    def _open_new_segments(self) -> None:
        for segment in list_segments(self._directory):
            if segment.name not in self._files and len(self._files) < MAX_OPEN:
                try:
                    self._files[segment.name] = os.open(segment.path, os.O_RDONLY)
                except FileNotFoundError:
                    continue
                self._sizes[segment.name] = 0

    def _check_segment(self, name: str) -> None:
        file, path = self._files[name], self._directory / name
        size, previous_size = os.fstat(file).st_size, self._sizes[name]
        if is_locked(file):  # its writer looks after it
            self._sizes[name] = max(size, previous_size)
            return
        self._sizes[name] = size
        if is_at(file, path):
            if size < previous_size:
                logger.error(
                    "Another program cut %s from %d to %d bytes."
                    " Records that were not in Postgres yet are lost.",
                    path,
                    previous_size,
                    size,
                )
            return
        restore_if_lost(file, path)
        self._forget(name)

    def _forget(self, name: str) -> None:
        file = self._files.pop(name, None)
        if file is not None:
            os.close(file)
            del self._sizes[name]


def _is_start(content: bytes, path: Path) -> bool:
    """Return whether a file begins with some bytes, as a segment that its writer restored does."""
    try:
        with path.open("rb") as file:
            return file.read(len(content)) == content
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return False
