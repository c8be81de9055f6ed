"""Point writer: points of concurrent requests in one statement, committed before the answers."""

import asyncio
import logging
import queue
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from dataclasses import dataclass

import psycopg2.errors
from psycopg2.extensions import cursor as Cursor  # noqa: N812

from tracking.errors import TrackingError, UnknownRunError
from tracking.runs import Point
from tracking.storage.database import Database

MAX_BATCH_POINTS = 20_000  # of one statement, besides those of its last request
# A commit costs Postgres as much as 60 points. While several runs log, two commits are this far
# apart. One run alone does not wait.
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
    """Points of one request, for one run.

    `written` is set after the commit. One of asyncio is set in the thread of its event loop.
    """

    experiment_id: int
    points: Sequence[Point]
    written: "Future[None] | asyncio.Future[None]"


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
        written: Future[None] = Future()
        self._put(Batch(experiment_id, points, written))
        return written

    def submit_from_loop(
        self, experiment_id: int, points: Sequence[Point]
    ) -> "asyncio.Future[None]":
        """Return a future of the running event loop, like `submit`.

        All requests of a commit wake the loop once.
        """
        written: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._put(Batch(experiment_id, points, written))
        return written

    def close(self) -> None:
        """Write what was handed in, then stop."""
        if self._thread is not None:
            self._queue.put(None)
            self._thread.join()

    def _put(self, batch: Batch) -> None:
        with self._start_lock:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="points", daemon=True)
                self._thread.start()
        self._queue.put(batch)

    def _run(self) -> None:
        is_open = True
        while is_open:
            batches: list[Batch] = []
            first = self._queue.get()
            is_open = first is not None
            if first is not None:
                batches.append(first)
                self._wait_for_others(first.experiment_id)
                is_open = self._drain(batches)
            if batches:
                now = time.monotonic()
                self._logged_at |= {batch.experiment_id: now for batch in batches}
                self._write(batches)

    def _wait_for_others(self, experiment_id: int) -> None:
        """Wait for further requests after one of a run, if several runs log."""
        oldest = time.monotonic() - ACTIVE_SECONDS
        self._logged_at = {run: at for run, at in self._logged_at.items() if at > oldest}
        if not self._logged_at.keys() <= {experiment_id}:
            time.sleep(PAUSE_SECONDS)

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
                _settle([batches[0].written], error)
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
            self._on_written(batch.experiment_id, batch.points if error is None else None)
        _settle([batch.written for batch in batches], error)


def _settle(
    written: "Sequence[Future[None] | asyncio.Future[None]]", error: TrackingError | None
) -> None:
    """Settle futures. Those of an event loop wake it once."""
    in_loops: dict[asyncio.AbstractEventLoop, list[asyncio.Future[None]]] = {}
    for future in written:
        if isinstance(future, asyncio.Future):
            in_loops.setdefault(future.get_loop(), []).append(future)
        elif error is None:
            future.set_result(None)
        else:
            future.set_exception(error)
    for loop, futures in in_loops.items():
        with suppress(RuntimeError):  # the loop has ended, and its requests with it
            loop.call_soon_threadsafe(_settle_in_loop, futures, error)


def _settle_in_loop(futures: "Sequence[asyncio.Future[None]]", error: TrackingError | None) -> None:
    for future in futures:
        if future.done():  # its client has left
            continue
        if error is None:
            future.set_result(None)
        else:
            future.set_exception(error)


def _array(values: Sequence[int] | Sequence[float]) -> str:
    """Return numbers as the text of an array, which costs a tenth of psycopg2's own."""
    return "{" + ",".join(map(repr, values)) + "}"
