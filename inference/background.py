"""Background process: ships the log, archives originals, mirrors models, keeps the replica alive.

`python -m inference.background`. Its own process keeps a slow or frozen Postgres from taking time
from requests. Its parent holds its standard input open. At the end of the input, it ships the
remaining records within the time that the parent wrote there, and exits.
"""

import contextlib
import fcntl
import functools
import logging
import os
import signal
import sys
import threading
import time
from collections.abc import Sequence
from pathlib import Path
from typing import IO

import psycopg2.extensions

from inference.database.learning.pipeline_state import PipelineReader
from inference.database.replicas import Heartbeat
from inference.database.retention import RetentionClock
from inference.models.alias_sync import AliasMirror
from inference.models.replica import Replica
from inference.observability.background_status import BackgroundStatus
from inference.originals.archiver import OriginalsArchiver
from inference.prediction_log.decoder import InvalidRecordError
from inference.prediction_log.event_retention import EventRetention
from inference.prediction_log.rescuer import SegmentRescuer
from inference.prediction_log.segments import is_at
from inference.prediction_log.shipped_offsets import ShippedOffsets
from inference.prediction_log.shipper import Shipper
from inference.prediction_log.writer import TableWriter
from inference.registry import mirror as registry
from inference.settings import Settings, from_environment
from servicekit import json_logging

# Pause between pieces of work, unless much is pending. A burst would delay requests otherwise.
YIELD_SECONDS = 0.001
# The service has 10 s to stop. Clients may take 8 s of them.
ARCHIVE_SECONDS = 0.7  # for the archiver's last round
# After the end of the input, the process exits even from within a call. The parent writes how long
# it may take to ship the rest. This is the time if the parent was killed.
EXIT_SECONDS = 1.0
NICENESS = 5  # requests come first
LOCK_FILE = "shipper.lock"
LOCK_SECONDS = 0.2  # between two attempts to lock the journal directory
CHECK_SECONDS = 0.5  # between two looks at the files of the journal directory

logger = logging.getLogger(__name__)


def main() -> None:
    """Run until the standard input ends."""
    json_logging.configure()
    # The parent handles these signals, and then closes the input.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    os.nice(NICENESS)
    stopping = threading.Event()
    threading.Thread(target=_stop_at_end_of_input, args=[stopping], daemon=True).start()
    try:
        settings = from_environment()
        replica, heartbeat = _start_heartbeat(settings, stopping)
        threads = []
        if settings.models_url:  # before the lock: each service has its own model directory
            threads = [
                registry.start(
                    settings.models_url, settings.models_dir, settings.models_poll_seconds, stopping
                )
            ]
        try:
            lock = DirectoryLock(settings.journal_dir, stopping)
        except InterruptedError:  # the stop of a service that shares its journal
            _leave(replica, heartbeat)
            _end(threads)
            return
        offsets = ShippedOffsets(settings.journal_dir)
        clock = RetentionClock()
        archiver = OriginalsArchiver(settings, offsets, clock)
    except OSError as error:
        sys.exit(f"Cannot use the journal directory {settings.journal_dir}: {error.strerror}.")
    except ValueError as error:
        sys.exit(f"Cannot start: {error}")
    archiving = threading.Thread(
        target=archiver.run, args=[stopping], name="originals", daemon=True
    )
    archiving.start()
    threads.append(archiving)
    rescuer = SegmentRescuer(settings.journal_dir)
    threading.Thread(
        target=_watch_directory, args=[lock, rescuer, stopping], name="watch", daemon=True
    ).start()
    mirror, event_retention = AliasMirror(settings.journal_dir), EventRetention(clock)
    status, pipeline = BackgroundStatus(settings.journal_dir), PipelineReader()

    def between_batches(connection: psycopg2.extensions.connection) -> None:
        mirror.refresh(connection)
        event_retention.expire_if_due(connection)
        status.pipeline = pipeline.read_if_due(connection)

    Shipper(
        settings,
        offsets,
        yield_cpu=lambda: stopping.wait(YIELD_SECONDS),
        is_storage_failing=lambda: archiver.is_storage_failing,
        between_batches=between_batches,
        remove_segment=rescuer.remove,
        status=status,
    ).run(stopping)
    _leave(replica, heartbeat)
    archiving.join(ARCHIVE_SECONDS)
    lock.close()
    _end(threads)


def restore_states(replica: Replica, connection: psycopg2.extensions.connection) -> None:
    """Write the states of a replica to a database that does not know it. Raises psycopg2.Error."""
    line = replica.read()
    if line is not None:
        with contextlib.suppress(InvalidRecordError):  # another program changed the file
            TableWriter(connection, lambda: None).write([line])


def _start_heartbeat(settings: Settings, stopping: threading.Event) -> tuple[Replica, Heartbeat]:
    replica = Replica.find(settings.journal_dir, settings.port)
    heartbeat = Heartbeat(replica.id, functools.partial(restore_states, replica))
    if settings.journal_bytes:  # without a journal, no states are recorded
        threading.Thread(
            target=heartbeat.run, args=[stopping], name="heartbeat", daemon=True
        ).start()
    return replica, heartbeat


def _leave(replica: Replica, heartbeat: Heartbeat) -> None:
    """End the replica: the service has stopped."""
    replica.forget()
    heartbeat.leave()


def _end(threads: Sequence[threading.Thread]) -> None:
    """Exit at once if a request to an object store is still running.

    Its native threads must not find the interpreter half shut down.
    """
    if any(thread.is_alive() for thread in threads):
        logging.shutdown()
        os._exit(0)


class DirectoryLock:
    """Lock of a directory that one process at a time ships."""

    def __init__(self, directory: Path, stopping: threading.Event | None = None) -> None:
        """Wait until no other process holds the lock. Raises OSError.

        Raises InterruptedError if `stopping` is set before.
        """
        self._path = directory / LOCK_FILE
        stopping = stopping or threading.Event()
        while True:
            try:
                self._file = self._lock()
            except BlockingIOError:
                if stopping.wait(LOCK_SECONDS):
                    raise InterruptedError from None
            else:
                return

    def renew(self) -> None:
        """Lock the directory again if another program has removed the lock's file.

        Raises OSError, also when another process holds the new lock.
        """
        if not is_at(self._file.fileno(), self._path):
            previous, self._file = self._file, self._lock()
            previous.close()

    def close(self) -> None:
        """Release the lock."""
        self._file.close()

    def _lock(self) -> IO[str]:
        self._path.parent.mkdir(parents=True, exist_ok=True)
        file = self._path.open("w")
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.close()
            raise
        return file


def _watch_directory(
    lock: DirectoryLock, rescuer: SegmentRescuer, stopping: threading.Event
) -> None:
    """Restore what another program removes from the journal directory, until `stopping` is set."""
    is_failing = False
    while True:
        try:
            rescuer.check()
            lock.renew()
            is_failing = False
        except OSError as error:
            if not is_failing:
                logger.error("Cannot look after the journal directory. %s", error)
            is_failing = True
        if stopping.wait(CHECK_SECONDS):
            return


def _stop_at_end_of_input(stopping: threading.Event) -> None:
    text = b""
    while part := os.read(0, 64):  # not by sys.stdin, whose lock would be held at a crash
        text += part
    stopping.set()
    time.sleep(float(text) if text else EXIT_SECONDS)
    os._exit(0)  # a call to a frozen Postgres never returns; the journal has all records


if __name__ == "__main__":
    main()
