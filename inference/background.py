"""Background process: ships the prediction log, archives originals and mirrors the aliases.

`python -m inference.background`. Its own process keeps a slow or frozen Postgres from taking time
from requests. Its parent holds its standard input open. At the end of the input, it ships the
remaining records as far as this is quick, and exits.
"""

import fcntl
import logging
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import IO

from inference.models.alias_sync import AliasMirror
from inference.originals.archiver import OriginalsArchiver
from inference.prediction_log.shipped_offsets import ShippedOffsets
from inference.prediction_log.shipper import Shipper
from inference.settings import from_environment
from servicekit import json_logging

# Pause between pieces of work, unless much is pending. A burst would delay requests otherwise.
YIELD_SECONDS = 0.001
# The service has 10 s to stop. Clients may take 8 s of them.
DRAIN_SECONDS = 0.7  # for the archiver's last round
EXIT_SECONDS = 1.0  # after the end of the input, the process exits even from within a call
NICENESS = 5  # requests come first
LOCK_FILE = "shipper.lock"


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
        lock = _lock_directory(settings.journal_dir)
        offsets = ShippedOffsets(settings.journal_dir)
        archiver = OriginalsArchiver(settings, offsets)
    except OSError as error:
        sys.exit(f"Cannot use the journal directory {settings.journal_dir}: {error.strerror}.")
    except ValueError as error:
        sys.exit(f"Cannot start: {error}")
    archiving = threading.Thread(
        target=archiver.run, args=[stopping], name="originals", daemon=True
    )
    archiving.start()
    mirror = AliasMirror(settings.journal_dir)
    Shipper(
        settings,
        offsets,
        yield_cpu=lambda: stopping.wait(YIELD_SECONDS),
        is_storage_failing=lambda: archiver.is_storage_failing,
        between_batches=mirror.refresh,
    ).run(stopping)
    archiving.join(DRAIN_SECONDS)
    lock.close()
    if archiving.is_alive():
        # A request to the object store is still running. Its native threads must not find the
        # interpreter half shut down.
        logging.shutdown()
        os._exit(0)


def _lock_directory(directory: Path) -> IO[str]:
    """Wait until no other process ships a directory, and return the lock file, open."""
    directory.mkdir(parents=True, exist_ok=True)
    lock = (directory / LOCK_FILE).open("w")
    fcntl.flock(lock, fcntl.LOCK_EX)
    return lock


def _stop_at_end_of_input(stopping: threading.Event) -> None:
    while os.read(0, 1):  # not by sys.stdin, whose lock would be held at a crash
        pass
    stopping.set()
    time.sleep(EXIT_SECONDS)
    os._exit(0)  # a call to a frozen Postgres never returns; the journal has all records


if __name__ == "__main__":
    main()
