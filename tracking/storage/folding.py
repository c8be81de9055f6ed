"""Folding: brings curves, metrics and heartbeats of runs up to date with their points."""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from psycopg2.extensions import cursor as Cursor  # noqa: N812

from tracking.names import choose_metric, metric_key
from tracking.runs import Point
from tracking.storage import histories
from tracking.storage.curve_rows import (
    Tail,
    append_points,
    last_finite,
    replace_curve,
    update_metrics,
)
from tracking.storage.database import Database

RUNS_OF_TRANSACTION = 20
METRICS = """
WITH RECURSIVE metrics AS (
    SELECT min(metric) AS metric FROM run_points WHERE experiment_id = %(id)s
    UNION ALL
    SELECT (SELECT min(p.metric) FROM run_points p
            WHERE p.experiment_id = %(id)s AND p.metric > m.metric)
    FROM metrics m WHERE m.metric IS NOT NULL
)
SELECT metric FROM metrics WHERE metric IS NOT NULL
"""
LOCK = """
SELECT e.id, e.state, EXISTS (SELECT FROM run_histories h WHERE h.experiment_id = e.id)
FROM experiments e WHERE e.id = ANY (%s) ORDER BY e.id FOR NO KEY UPDATE
"""
WITH_POINTS = """
SELECT e.id FROM experiments e
WHERE e.source <> 'csv' AND EXISTS (SELECT FROM run_points p WHERE p.experiment_id = e.id)
"""


@dataclass
class _Pending:
    """Points of a run, by metric, that its curves do not have.

    `is_complete` is False if more may be stored. `is_heard` is False if no request brought them to
    this process: an earlier one may have stored them long ago.
    """

    points: dict[str, list[Point]] = field(default_factory=dict)
    is_complete: bool = True
    is_heard: bool = False

    def add(self, points: Sequence[Point]) -> None:
        for point in points:
            self.points.setdefault(point.metric, []).append(point)


Tails = dict[str, Tail | None]  # by metric as sent; None if its curve is that of another metric


class Folding:
    """Runs with new points, and the ends of their curves. Thread-safe."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._lock = threading.Lock()  # of _pending
        self._fold_lock = threading.Lock()  # of _tails
        self._pending: dict[int, _Pending] = {}
        self._tails: dict[int, Tails] = {}
        self.arrived = threading.Event()
        self.points = 0  # that were added

    def add(self, experiment_id: int, points: Sequence[Point] | None) -> None:
        """Note points that are committed, none for a sign of life.

        None means that points may have been committed.
        """
        with self._lock:
            pending = self._pending.setdefault(experiment_id, _Pending())
            pending.is_heard = True
            if points is None:
                pending.is_complete = False
            else:
                pending.add(points)
                self.points += len(points)
        self.arrived.set()

    def add_stored(self) -> None:
        """Note every run with points, after a start. Raises UnavailableError."""
        with self._database.transaction() as cursor:
            cursor.execute(WITH_POINTS)
            numbers = [number for (number,) in cursor]
        with self._lock:
            for number in numbers:
                self._pending.setdefault(number, _Pending()).is_complete = False

    def fold_all(self) -> int:
        """Fold every run with new points, and return the points of the curves written.

        Raises UnavailableError.
        """
        with self._lock:
            self.arrived.clear()
            waiting = sorted(self._pending)
        return sum(
            self.fold(waiting[start : start + RUNS_OF_TRANSACTION])
            for start in range(0, len(waiting), RUNS_OF_TRANSACTION)
        )

    def fold(self, experiment_ids: Sequence[int]) -> int:
        """Fold runs in one transaction, and return the points of the curves written.

        Raises UnavailableError: the runs then wait for the next round.
        """
        with self._fold_lock:
            with self._lock:
                taken = {
                    number: self._pending.pop(number)
                    for number in experiment_ids
                    if number in self._pending
                }
            if not taken:
                return 0
            try:
                with self._database.transaction() as cursor:
                    return self._fold(cursor, taken)
            except BaseException:
                self._return(taken)
                raise

    def _return(self, taken: Mapping[int, _Pending]) -> None:
        """Note runs again whose transaction failed."""
        with self._lock:
            for number, pending in taken.items():
                self._tails.pop(number, None)
                waiting = self._pending.setdefault(number, _Pending())
                waiting.is_complete = False
                waiting.is_heard |= pending.is_heard
        self.arrived.set()

    def _fold(self, cursor: Cursor, taken: Mapping[int, _Pending]) -> int:
        written = 0
        cursor.execute(LOCK, [list(taken)])
        for number, state, has_history in cursor.fetchall():
            if has_history:
                histories.restore(cursor, number)
                self._tails.pop(number, None)
            tails = self._tails.get(number) if taken[number].is_complete else None
            tails, values = (
                self._rebuild(cursor, number)
                if tails is None
                else self._extend(cursor, number, tails, taken[number].points)
            )
            update_metrics(cursor, number, values, is_heard=taken[number].is_heard)
            written += sum(tail.points for tail in tails.values() if tail is not None)
            if state == "running":
                self._tails[number] = tails
            else:
                self._tails.pop(number, None)
        return written

    def _rebuild(self, cursor: Cursor, number: int) -> tuple[Tails, dict[str, float]]:
        """Make all curves of a run. Return their tails and the last values by key."""
        cursor.execute(METRICS, {"id": number})
        by_key: dict[str, list[str]] = {}
        for (metric,) in cursor.fetchall():
            by_key.setdefault(metric_key(metric), []).append(metric)
        tails: Tails = {}
        values: dict[str, float] = {}
        for key, metrics in by_key.items():
            tails |= dict.fromkeys(metrics)
            self._replace(cursor, number, choose_metric(metrics), tails, values, key)
        return tails, values

    def _extend(
        self, cursor: Cursor, number: int, tails: Tails, pending: Mapping[str, Sequence[Point]]
    ) -> tuple[Tails, dict[str, float]]:
        """Extend the curves of a run. Return their tails and the last values by key."""
        keys = {metric_key(metric): metric for metric in tails}
        tails = dict(tails)
        values: dict[str, float] = {}
        for metric, points in pending.items():
            key = metric_key(metric)
            if metric not in tails and key in keys:
                return self._rebuild(cursor, number)  # a second metric with this key
            if metric in tails and tails[metric] is None:
                continue
            tail = tails.get(metric)
            extended = append_points(cursor, number, metric, tail, points) if tail else None
            if extended is None:
                self._replace(cursor, number, metric, tails, values, key)
            else:
                tails[metric] = extended
                value = last_finite(points)
                if value is not None:
                    values[key] = value
            keys[key] = metric
        return tails, values

    def _replace(
        self,
        cursor: Cursor,
        number: int,
        metric: str,
        tails: Tails,
        values: dict[str, float],
        key: str,
    ) -> None:
        found = replace_curve(cursor, number, metric)
        if found is not None:
            tails[metric], value = found
            if value is not None:
                values[key] = value
