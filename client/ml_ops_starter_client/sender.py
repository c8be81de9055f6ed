"""Sender: the background thread of a run, which sends its backlog to the service.

Logging only adds to the backlog. While the service is away, the thread tries again after growing
pauses, and the backlog moves to the disk.
"""

import logging
import os
import random
import threading
import time
import weakref
from multiprocessing.util import Finalize
from pathlib import Path
from typing import Literal, TypeAlias

from ml_ops_starter_client.api import Api
from ml_ops_starter_client.backlog import Backlog
from ml_ops_starter_client.delivery import AwayError, Delivery, RunRefusedError
from ml_ops_starter_client.records import Change, Record
from ml_ops_starter_client.spool import SUFFIX, Header

State: TypeAlias = Literal["finished", "failed", "killed"]
FLUSH_SECONDS = 0.5
FLUSH_POINTS = 1_000
MAX_PAUSE_SECONDS = 30.0
MAX_RETRY_AFTER_SECONDS = 300.0
KEEP_ALIVE_SECONDS = 30.0
CLOSE_SECONDS = 5.0
# A hung service holds up finish() for this long at most.
READ_TIMEOUT_SECONDS = 10.0

logger = logging.getLogger(__name__)
_senders: "weakref.WeakSet[Sender]" = weakref.WeakSet()


class Sender:
    """Sender of one run in one process. Every method returns at once, except `wait` and `close`."""

    def __init__(self, header: Header, key: str | None, directory: Path) -> None:
        self._header = header
        self._key = key
        self.delivery = Delivery(self._new_api(), header.new_run)
        self._backlog = Backlog(directory / f"{header.new_run['run_id']}{SUFFIX}", header)
        self._is_child = False
        self.is_refused = False
        self.end_state: State = "finished"
        self._reset()
        _senders.add(self)

    def _reset(self) -> None:
        self._wake = threading.Condition()
        self._thread: threading.Thread | None = None
        self._first_attempt = threading.Event()
        self._deadline: float | None = None
        self._contact = 0.0
        self._is_away = False
        self._is_settled = False
        # Set by a finalizer, which must not take locks: the thread does the rest.
        self.abandoned: Change | None = None

    def _new_api(self) -> Api:
        return Api(self._header.url, self._key, read_timeout_seconds=READ_TIMEOUT_SECONDS)

    def after_fork(self) -> None:
        """Start afresh in a forked process: the records of its parent are the parent's."""
        name = self.delivery.name
        self.delivery = Delivery(self._new_api(), self._header.new_run)
        self.delivery.name = name
        path = self._backlog.path
        own = f"{self._header.new_run['run_id']}-{os.getpid()}-{time.time_ns()}{SUFFIX}"
        self._backlog = Backlog(path.with_name(own), self._header)
        self._is_child = True
        self._reset()

    def start(self) -> None:
        """Start the thread unless it runs."""
        if self._thread is not None or self.is_refused:
            return
        if self._is_child:
            # The processes of multiprocessing end without atexit.
            Finalize(None, self.close, args=(CLOSE_SECONDS,), exitpriority=0)
        self._thread = threading.Thread(
            target=self._run, name=f"ml_ops_starter_client {self.delivery.name}", daemon=True
        )
        self._thread.start()

    def wait_for_first_attempt(self, seconds: float) -> None:
        """Wait until the run is created, or the first attempt has failed."""
        self._first_attempt.wait(seconds)

    def put(self, record: Record) -> None:
        """Add a record to the backlog."""
        if self.is_refused:
            return
        self.start()
        self._backlog.append(record)
        if len(self._backlog) >= FLUSH_POINTS and not self._is_away:
            with self._wake:
                self._wake.notify()

    def close(self, seconds: float) -> None:
        """Send the backlog and end the thread. The disk keeps what the service did not take.

        Waits `seconds` for a service that is away, and for the end of a request in progress.
        """
        if self._thread is None:
            return
        with self._wake:
            self._deadline = time.monotonic() + seconds
            self._wake.notify()
        self._thread.join(seconds + READ_TIMEOUT_SECONDS)
        self._settle()

    def _run(self) -> None:
        """Send until the run is closed."""
        pause, failures = 0.0, 0
        while True:
            is_closing = self._wait(pause)
            try:
                self._send_all()
                pause, failures = FLUSH_SECONDS, 0
                if is_closing:
                    break
            except (AwayError, OSError) as error:  # OSError: the disk does not give what it has
                failures += 1
                retry_after = error.retry_after if isinstance(error, AwayError) else None
                pause = _pause_after(0 if is_closing else failures, retry_after)
                self._note_away(error)
                if is_closing and self._is_late(pause):
                    break
            except RunRefusedError as error:
                self._refuse(error)
                break
            finally:
                self._first_attempt.set()
        self._settle()

    def _wait(self, seconds: float) -> bool:
        """Wait for the next attempt, at once if the run is closed. Return whether it is."""
        with self._wake:
            was_closing = self._deadline is not None
            self._wake.wait_for(
                lambda: (
                    (self._deadline is not None and not was_closing)
                    or (len(self._backlog) >= FLUSH_POINTS and not self._is_away)
                ),
                seconds,
            )
            if self.abandoned is not None:
                self._backlog.append(self.abandoned)
                self.abandoned = None
                self._deadline = self._deadline or time.monotonic()
            return self._deadline is not None

    def _is_late(self, pause: float) -> bool:
        return self._deadline is not None and time.monotonic() + pause > self._deadline

    def _send_all(self) -> None:
        """Send the backlog. Raises AwayError and RunRefusedError."""
        if not self.delivery.is_created:
            self.delivery.create()
            self._contact = time.monotonic()
        while (batch := self._backlog.next_batch()) is not None:
            self.delivery.send(batch.record)
            self._backlog.acknowledge(batch)
            self._contact = time.monotonic()
        if time.monotonic() - self._contact > KEEP_ALIVE_SECONDS and self._deadline is None:
            self.delivery.keep_alive()
            self._contact = time.monotonic()
        if self._is_away:
            self._is_away = False
            logger.warning("Run %s: all kept records are sent.", self.delivery.name)

    def _note_away(self, error: Exception) -> None:
        self._backlog.store()
        if not self._is_away:
            self._is_away = True
            logger.warning(
                "Run %s: the records are kept on this machine until the service takes them. %s",
                self.delivery.name,
                error,
            )

    def _refuse(self, error: RunRefusedError) -> None:
        self.is_refused = True
        self._backlog.discard()
        logger.warning(
            "Run %s: the service refused it, so nothing of it is stored. %s",
            self.delivery.name,
            error,
        )

    def _settle(self) -> None:
        """Keep what was not sent, and leave it to the next start()."""
        with self._wake:
            if self._is_settled:
                return
            self._is_settled = True
        self._backlog.store()
        if len(self._backlog):
            logger.warning(
                "Run %s: %d records are not sent and are kept in %s. The next start() sends them, "
                "or: python -m ml_ops_starter_client send",
                self.delivery.name,
                len(self._backlog),
                self._backlog.path,
            )
        self._backlog.close()
        self.delivery.api.close()


def _pause_after(failures: int, retry_after: float | None) -> float:
    """Return the seconds to the next attempt: as the service asks, or twice the last pause."""
    if retry_after is not None:
        return min(retry_after, MAX_RETRY_AFTER_SECONDS)
    pause = min(FLUSH_SECONDS * 2.0 ** min(failures, 10), MAX_PAUSE_SECONDS)
    return pause * random.uniform(0.8, 1.2)  # noqa: S311


def close_all(deadline: float) -> None:
    """Close all senders, until a time of the monotonic clock."""
    for sender in list(_senders):
        sender.close(max(deadline - time.monotonic(), 0.0))


def _after_fork() -> None:
    for sender in list(_senders):
        sender.after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
