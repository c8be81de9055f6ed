"""Maintenance: folds new points into curves, marks silent runs, and moves points of ended runs."""

import logging
import threading
import time
from pathlib import Path

from servicekit.tracking_status import TrackingStatus
from tracking.errors import UnavailableError
from tracking.storage import histories, silence
from tracking.storage.stores import Stores

FOLD_SECONDS = 1.0  # between two rounds of folding at least
# A curve is rewritten as a whole: long ones are extended less often.
WRITTEN_POINTS_PER_SECOND = 100_000
FOLD_SHARE = 3  # a round of folding is followed by a pause of at least twice its duration
MAX_FOLD_SECONDS = 30.0
LOOK_SECONDS = 5.0  # between two looks at silent and ended runs
QUIET_SECONDS = 30.0  # of an ended run, before its points are moved
MOVED_RUNS = 20  # of one look

logger = logging.getLogger(__name__)


class Maintenance:
    """Upkeep of the runs, in a thread of its own."""

    def __init__(
        self, stores: Stores, status: TrackingStatus, socket: Path, silent_seconds: int
    ) -> None:
        """The status is written beside the socket."""
        self._stores, self._status, self._socket = stores, status, socket
        self._silent_seconds = silent_seconds
        self._has_started = False
        self._look_at = 0.0  # time.monotonic() of the next look

    def run(self, stopping: threading.Event) -> None:
        """Work until `stopping` is set, then fold once more."""
        while not stopping.is_set():
            started = time.monotonic()
            pause = FOLD_SECONDS
            try:
                pause = self.work()
            except UnavailableError:
                pass  # the pool has logged it; the next round does it
            except Exception:
                logger.exception("A round of the maintenance failed")
            self._status.points = self._stores.folding.points
            self._status.write(self._socket)
            stopping.wait(pause - (time.monotonic() - started))
            # After a quiet time, the first points are folded at once.
            while not stopping.is_set() and time.monotonic() < self._look_at:
                if self._stores.folding.arrived.wait(0.1):
                    break
        try:
            self._stores.folding.fold_all()
        except UnavailableError:
            logger.warning("The last points are folded at the next start: Postgres is away.")

    def work(self) -> float:
        """Fold what is new, and look after the runs if it is due.

        Return the seconds until the next round. Raises UnavailableError.
        """
        if not self._has_started:
            self._stores.folding.add_stored()
            self._has_started = True
        started = time.monotonic()
        written = self._stores.folding.fold_all()
        pause = max(
            FOLD_SECONDS,
            written / WRITTEN_POINTS_PER_SECOND,
            FOLD_SHARE * (time.monotonic() - started),
        )
        if time.monotonic() >= self._look_at:
            self._look_at = time.monotonic() + LOOK_SECONDS
            self._look()
        return min(pause, MAX_FOLD_SECONDS)

    def _look(self) -> None:
        database = self._stores.database
        with database.transaction() as cursor:
            silence.mark_silent(cursor, self._silent_seconds)
            self._status.running, self._status.silent = silence.count_running(cursor)
            self._status.read_at = time.time()
        with database.transaction() as cursor:
            ended = histories.ended_runs(cursor, QUIET_SECONDS, MOVED_RUNS)
        for number in ended:
            with database.transaction() as cursor:
                histories.move(cursor, number)
        if len(ended) == MOVED_RUNS:
            self._look_at = 0.0
