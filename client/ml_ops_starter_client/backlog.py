"""Backlog of a run: records that are not yet stored by the service, in memory and then on disk.

Records have consecutive numbers. Those on disk are older than those in memory. The service has
stored all up to the acknowledged number.
"""

import logging
import threading
from collections import deque
from collections.abc import Iterator
from itertools import chain
from pathlib import Path

from ml_ops_starter_client.records import (
    Batch,
    NumberedRecord,
    Record,
    first_batch,
    weight,
)
from ml_ops_starter_client.spool import Header, SpoolFile

MAX_MEMORY_POINTS = 100_000
MAX_BATCH_POINTS = 5_000

logger = logging.getLogger(__name__)


class Backlog:
    """Backlog of one run in one process. Thread-safe."""

    def __init__(
        self,
        path: Path,
        header: Header,
        max_memory_points: int = MAX_MEMORY_POINTS,
    ) -> None:
        self.path = path
        self._header = header
        self._max_memory_points = max_memory_points
        self._lock = threading.RLock()
        self._memory: deque[NumberedRecord] = deque()
        self._memory_points = 0
        self._file: SpoolFile | None = None
        self._offset = 0
        self._last_number = 0
        self._acknowledged = 0
        self._waiting_points = 0
        self._is_disk_broken = False

    def __len__(self) -> int:
        """Return the number of points that wait; a change counts as one."""
        return self._waiting_points

    def append(self, record: Record) -> None:
        """Add a record. Beyond the limit of points in memory, all move to the disk."""
        with self._lock:
            self._last_number += 1
            self._memory.append(NumberedRecord(self._last_number, record))
            self._memory_points += weight(record)
            self._waiting_points += weight(record)
            if self._memory_points > self._max_memory_points:
                self.store()
                self._drop_oldest()

    def next_batch(self) -> Batch | None:
        """Return the oldest records as one request, None if nothing waits."""
        with self._lock:
            return first_batch(chain(self._stored(), self._memory), MAX_BATCH_POINTS)

    def acknowledge(self, batch: Batch) -> None:
        """Forget a batch that the service has stored or refused."""
        with self._lock:
            self._acknowledged = batch.last
            while self._memory and self._memory[0].number <= batch.last:
                self._memory_points -= weight(self._memory.popleft().record)
            if self._file is not None and next(self._stored(), None) is None:
                self._remove_file()
            self._waiting_points -= batch.weight

    def store(self) -> None:
        """Move the records in memory to the disk, where they outlast the process."""
        with self._lock:
            if not self._memory:
                return
            try:
                if self._file is None:
                    self._file = SpoolFile(self.path, self._header)
                    self._offset = self._file.start
                self._file.append(self._memory)
            except OSError as error:
                if not self._is_disk_broken:
                    self._is_disk_broken = True
                    logger.warning(
                        "Cannot write %s (%s). Set MLOPS_SPOOL_DIR to another folder.",
                        self.path,
                        error.strerror,
                    )
                return
            self._memory.clear()
            self._memory_points = 0

    def discard(self) -> None:
        """Drop all records."""
        with self._lock:
            self._memory.clear()
            self._memory_points = self._waiting_points = 0
            self._remove_file()

    def close(self) -> None:
        """Close the file, so that another process may send it."""
        with self._lock:
            if self._file is not None:
                self._file.close()
                self._file = None

    def _stored(self) -> Iterator[NumberedRecord]:
        """Yield the records on disk that the service does not have."""
        if self._file is None:
            return
        for record, end in self._file.records(self._offset):
            if record.number <= self._acknowledged:
                self._offset = end
            else:
                yield record

    def _remove_file(self) -> None:
        if self._file is not None:
            try:
                self._file.remove()
            except OSError as error:
                logger.warning("Cannot remove %s (%s).", self.path, error.strerror)
            self._file = None

    def _drop_oldest(self) -> None:
        """Keep the limit of memory if the disk takes nothing."""
        while self._memory_points > self._max_memory_points:
            dropped = weight(self._memory.popleft().record)
            self._memory_points -= dropped
            self._waiting_points -= dropped
