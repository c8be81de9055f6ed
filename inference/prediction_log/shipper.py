"""`python -m inference.prediction_log.shipper`.

The journal -> Postgres, and originals -> their storage. One process beside the service's own.

It is a process of its own so that a slow or frozen Postgres takes no time from answers. What a
batch of records says is written in one transaction, and repeated where it is not sure that Postgres
has it: ids make a repeated write add nothing. A second thread keeps the originals (keeper.py).
Whoever starts this process holds its standard input open; when that ends, it ships what is left, as
far as that goes quickly, and leaves.
"""

import fcntl
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from typing import IO

import psycopg2
import psycopg2.errors

from inference.database.connection import connect
from inference.models.aliases import AliasMirror
from inference.originals.archiver import OriginalsArchiver
from inference.prediction_log.decoder import InvalidRecordError
from inference.prediction_log.journal import (
    ORIGINALS,
    ROWS,
    Segment,
    ShippedOffsets,
    segments,
    total_bytes,
)
from inference.prediction_log.writer import Tables
from inference.runtime.malloc import trim_heap
from inference.settings import Settings, from_environment
from servicekit import json_logging

# Between two looks at the journal: larger batches cost less; a label waits a second for its
# prediction
PAUSE_SECONDS = 0.5
# Between pieces of work, unless much waits: a burst would keep answers from the processor
REST_SECONDS = 0.001
RETRY_SECONDS = 1.0  # after Postgres failed
# The service has 10 s to end, of which callers may take 8.
DRAIN_SECONDS = 0.7  # for what is left at the end
STUCK_SECONDS = 1.0  # then it leaves, even from within a call
NICENESS = 5  # answers go first
BATCH_BYTES = (
    4 * 2**20
)  # a segment: what its requests have in common is written once; it is in memory meanwhile
GAPS_BYTES = (
    2**20
)  # what was shipped leaves gaps in the memory, which are given back when there is nothing to do
# What of the journal may be full of originals that wait: predictions have the rest.
FAILING_SHARE, STORING_SHARE = 1 / 2, 7 / 8
LOCK_FILE = "shipper.lock"
REFUSED_FILE = "refused.log"
REFUSED_BYTES = 16 * 2**20  # enough to see what is wrong
# What Postgres refuses because of the record itself, for ever; everything else may pass with time.
REFUSALS = (psycopg2.DataError, psycopg2.IntegrityError)

logger = logging.getLogger(__name__)


class Shipper:
    """Ships a journal directory. `stopping` ends its loops."""

    def __init__(
        self,
        settings: Settings,
        progress: ShippedOffsets,
        rest: Callable[[], object] = lambda: None,
        is_storage_failing: Callable[[], bool] = lambda: False,
    ) -> None:
        """`rest` is called between small pieces of work: answers go first.

        The keeper tells whether its storage fails.
        """
        self._directory = settings.journal_dir
        self._progress = progress
        self._stores_images = settings.stores_images
        self._limit_bytes = settings.journal_bytes
        self._aliases = AliasMirror(settings.journal_dir)
        self._rest = rest
        self._is_storage_failing = is_storage_failing
        self._is_behind = False
        self._tables: Tables | None = None
        self._rewound: dict[
            str, int
        ] = {}  # up to where what Postgres has lost is shipped again, by segment

    def run(self, stopping: threading.Event) -> None:
        """Ship until `stopping`, and then what is left."""
        failing, unreturned = False, 0
        while True:
            is_last = stopping.is_set()
            try:
                self._aliases.follow(self._connected().connection)
                shipped = self.ship()
                failing = False
            except (psycopg2.Error, OSError) as error:
                if not failing:
                    logger.warning(
                        "The log of predictions waits in %s: %s",
                        self._directory,
                        _first_line(error),
                    )
                failing, shipped = True, 0
                self.disconnect()
            if is_last:
                return
            unreturned += shipped
            if not shipped and unreturned > GAPS_BYTES:
                trim_heap()
                unreturned = 0
            if failing or shipped < BATCH_BYTES:
                stopping.wait(RETRY_SECONDS if failing else PAUSE_SECONDS)

    def ship(self) -> int:
        """Bring everything that is there now to Postgres and return how many bytes that was.

        Raises psycopg2.Error.
        """
        shipped = 0
        for segment in segments(self._directory):
            complete = (
                segment.is_complete()
            )  # before the look at its size: it does not grow after this
            offset, size = self._progress.get(ROWS, segment), segment.size
            while offset < size:
                lines = segment.lines(offset, min(size, offset + BATCH_BYTES))
                self._is_behind = size - offset >= BATCH_BYTES
                if not lines:
                    break  # a last line that was never finished, and its prediction not answered
                try:
                    self._write(lines, may_rewind=segment.name not in self._rewound)
                except psycopg2.errors.ForeignKeyViolation:
                    # The database is another than the one that has the records before this: a new
                    # one, say.
                    self._rewound[segment.name] = offset
                    offset = 0
                    continue
                length = sum(map(len, lines))
                offset += length
                shipped += length
                self._progress.put(ROWS, segment, offset)
                if offset > self._rewound.get(segment.name, offset):
                    del self._rewound[segment.name]
                    self._progress.put(ORIGINALS, segment, 0)  # their images have other rows now
                self._aliases.follow(self._connected().connection)
            if complete and not self._waits_for_originals(segment, offset):
                segment.path.unlink()
                self._progress.forget(segment)
                self._rewound.pop(segment.name, None)
        return shipped

    def disconnect(self) -> None:
        """Close the connection, if there is one."""
        if self._tables is not None:
            with suppress(psycopg2.Error):
                self._tables.connection.close()
            self._tables = None

    def _rest_unless_behind(self) -> None:
        if not self._is_behind:
            self._rest()

    def _waits_for_originals(self, segment: Segment, offset: int) -> bool:
        """Tell whether the originals of a segment are still to be stored.

        Where too little room is left, they are given up.
        """
        if not self._stores_images or self._progress.get(ORIGINALS, segment) >= offset:
            return False
        is_failing = self._is_storage_failing()
        if total_bytes(self._directory) < self._limit_bytes * (
            FAILING_SHARE if is_failing else STORING_SHARE
        ):
            return True
        why = "cannot be stored" if is_failing else "come faster than they are stored"
        logger.error("Originals of images are given up, for the log is full of them: they %s.", why)
        return False

    def _write(self, lines: Sequence[bytes], *, may_rewind: bool) -> None:
        """Write what some records say, in halves where one of them is refused, which is put aside
        in the end.

        Raises psycopg2.Error, ForeignKeyViolation only if the caller `may_rewind` to the beginning
        of the segment.
        """
        try:
            self._connected().write(lines)
        except (InvalidRecordError, *REFUSALS) as error:
            if may_rewind and isinstance(error, psycopg2.errors.ForeignKeyViolation):
                raise
            if len(lines) == 1:
                self._put_aside(lines[0], error)
                return
            middle = len(lines) // 2
            self._write(lines[:middle], may_rewind=may_rewind)
            self._write(lines[middle:], may_rewind=may_rewind)

    def _connected(self) -> Tables:
        if self._tables is None:
            self._tables = Tables(connect("mlops shipper"), self._rest_unless_behind)
        return self._tables

    def _put_aside(self, line: bytes, error: Exception) -> None:
        """Keep a record that can never be written, and say so."""
        path = self._directory / REFUSED_FILE
        with os.fdopen(os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600), "ab") as file:
            if file.tell() < REFUSED_BYTES:
                file.write(line)
        logger.error(
            "A record of the log cannot be written and was put into %s: %s",
            path,
            _first_line(error),
        )


def _first_line(error: Exception) -> str:
    return str(error).strip().split("\n", 1)[0]


def _is_only_shipper(directory: Path) -> IO[str]:
    """Wait until no other process ships this directory, and return what makes others wait."""
    directory.mkdir(parents=True, exist_ok=True)
    lock = (directory / LOCK_FILE).open("w")
    fcntl.flock(lock, fcntl.LOCK_EX)
    return lock


def main() -> None:
    """Ship until the standard input ends."""
    json_logging.configure()
    settings = from_environment()
    for number in (
        signal.SIGINT,
        signal.SIGTERM,
    ):  # they are for whoever started this, and ends the input then
        signal.signal(number, signal.SIG_IGN)
    os.nice(NICENESS)
    stopping = threading.Event()
    threading.Thread(target=_stop_at_end_of_input, args=[stopping], daemon=True).start()
    try:
        lock = _is_only_shipper(settings.journal_dir)
    except OSError as error:
        sys.exit(
            f"The journal's directory {settings.journal_dir} cannot be used: {error.strerror}."
        )
    progress = ShippedOffsets(settings.journal_dir)
    keeper = OriginalsArchiver(settings, progress)
    keeping = threading.Thread(target=keeper.run, args=[stopping], name="originals", daemon=True)
    keeping.start()
    Shipper(
        settings, progress, lambda: stopping.wait(REST_SECONDS), lambda: keeper.is_storage_failing
    ).run(stopping)
    keeping.join(DRAIN_SECONDS)
    lock.close()


def _stop_at_end_of_input(stopping: threading.Event) -> None:
    while os.read(0, 1):  # not through sys.stdin, whose lock would be held when this process fails
        pass
    stopping.set()
    time.sleep(STUCK_SECONDS)
    os._exit(0)  # a call of a Postgres that is frozen never returns; the journal has all


if __name__ == "__main__":
    main()
