"""Point writer: points of concurrent requests in one statement, committed before the answers."""

import logging
import queue
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field

import psycopg2.errors
from psycopg2.extensions import cursor as Cursor  # noqa: N812

from tracking.errors import TrackingError, UnknownRunError
from tracking.runs import Point
from tracking.storage.database import Database

MAX_BATCH_POINTS = 20_000  # of one statement, besides those of its last request
# A commit costs Postgres more than the points of a request. While several runs log, two of them are
# this far apart. One run alone does not wait.
PAUSE_SECONDS = 0.02
ACTIVE_SECONDS = 1.0  # a run that has logged since then logs
INSERT = """
INSERT INTO run_points (experiment_id, metric, step, logged_at, value)
SELECT p.experiment_id, (%(names)s::text[])[p.metric], p.step, p.logged_at, p.value
FROM unnest(%(ids)s::bigint[], %(metrics)s::integer[], %(steps)s::bigint[], %(times)s::bigint[],
            %(values)s::double precision[])
     AS p (experiment_id, metric, step, logged_at, value)
ORDER BY 1, 2, 3, 4, 5
ON CONFLICT DO NOTHING
"""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Batch:
    """Points of one request, for one run. `written` is set after the commit."""

    experiment_id: int
    points: Sequence[Point]
    written: "Future[None]" = field(default_factory=Future)


Written = Callable[[int, Sequence[Point] | None], None]


def insert_points(cursor: Cursor, batches: Sequence[tuple[int, Sequence[Point]]]) -> None:
    """Insert points of runs, except those that are there. Raises UnknownRunError.

    In the order of the key: two transactions with the same points would else deadlock.
    """
    names: dict[str, int] = {}
    ids, metrics, steps, times, values = [], [], [], [], []
    for experiment_id, points in batches:
        for point in points:
            ids.append(experiment_id)
            metrics.append(names.setdefault(point.metric, len(names) + 1))
            steps.append(point.step)
            times.append(point.logged_at)
            values.append(point.value)
    if not ids:
        return
    arguments = {
        "names": list(names),
        "ids": _array(ids),
        "metrics": _array(metrics),
        "steps": _array(steps),
        "times": _array(times),
        "values": _array(values),
    }
    try:
        cursor.execute(INSERT, arguments)
    except psycopg2.errors.ForeignKeyViolation as error:
        raise UnknownRunError from error


class PointWriter:
    """Writes the points that threads hand in. One thread, started by the first points."""

    def __init__(self, database: Database, on_written: Written) -> None:
        """`on_written` is called with each request's points once they are committed.

        It gets None in place of points that may or may not be committed.
        """
        self._database, self._on_written = database, on_written
        self._queue: queue.SimpleQueue[Batch | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._start_lock = threading.Lock()
        self._logged_at: dict[int, float] = {}  # time.monotonic() by run

    def submit(self, experiment_id: int, points: Sequence[Point]) -> "Future[None]":
        """Return a future that is done when the points are committed.

        It raises UnknownRunError and UnavailableError.
        """
        with self._start_lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="points", daemon=True)
                self._thread.start()
        batch = Batch(experiment_id, points)
        self._queue.put(batch)
        return batch.written

    def close(self) -> None:
        """Write what was handed in, then stop."""
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join()

    def _run(self) -> None:
        is_open = True
        while is_open:
            batches: list[Batch] = []
            first = self._queue.get()
            is_open = first is not None
            if first is not None:
                batches.append(first)
                time.sleep(self._pause_seconds(first.experiment_id))
                is_open = self._drain(batches)
            if batches:
                self._write(batches)

    def _pause_seconds(self, experiment_id: int) -> float:
        """Return the time to wait for further requests after one of a run."""
        now = time.monotonic()
        self._logged_at[experiment_id] = now
        if len(self._logged_at) > 1:
            recent = {run: at for run, at in self._logged_at.items() if now - at < ACTIVE_SECONDS}
            self._logged_at = recent
        return PAUSE_SECONDS if len(self._logged_at) > 1 else 0.0

    def _drain(self, batches: list[Batch]) -> bool:
        """Append what waits. Return False at the end of the queue."""
        count = len(batches[0].points)
        while count < MAX_BATCH_POINTS:
            try:
                batch = self._queue.get_nowait()
            except queue.Empty:
                return True
            if batch is None:
                return False
            batches.append(batch)
            count += len(batch.points)
        return True

    def _write(self, batches: Sequence[Batch]) -> None:
        try:
            with self._database.connection() as cursor:
                insert_points(cursor, [(batch.experiment_id, batch.points) for batch in batches])
        except UnknownRunError as error:  # a run was deleted by hand: only its points fail
            if len(batches) == 1:
                batches[0].written.set_exception(error)
                return
            for batch in batches:
                self._write([batch])
        except TrackingError as error:
            self._finish(batches, error)
        except Exception:
            logger.exception("Points could not be written")
            self._finish(batches, TrackingError())
        else:
            self._finish(batches, None)

    def _finish(self, batches: Sequence[Batch], error: TrackingError | None) -> None:
        for batch in batches:
            if error is None:
                self._on_written(batch.experiment_id, batch.points)
                batch.written.set_result(None)
            else:
                self._on_written(batch.experiment_id, None)
                batch.written.set_exception(error)


def _array(values: Sequence[int] | Sequence[float]) -> str:
    """Return numbers as the text of an array, which costs a tenth of psycopg2's own."""
    return "{" + ",".join(map(repr, values)) + "}"
