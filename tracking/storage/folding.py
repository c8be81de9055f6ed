"""Folding: brings curves, metrics and heartbeats of runs up to date with their points."""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from psycopg2.extensions import cursor as Cursor  # noqa: N812

from tracking.names import choose_metric, metric_key
from tracking.runs import Point
from tracking.storage import histories
from tracking.storage.curve_rows import (
    Extension,
    Tail,
    append,
    extend,
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


@dataclass
class _Fold:
    """A run in a round of folding: its new points, tails, and last values by key."""

    number: int
    pending: _Pending
    tails: Tails = field(default_factory=dict)
    values: dict[str, float] = field(default_factory=dict)
    extensions: list[Extension] = field(default_factory=list)
    written: int = 0  # points of the curves

    def replace(self, cursor: Cursor, metric: str) -> None:
        """Build a curve of all points of a metric."""
        points, key = self.pending.points.get(metric, ()), metric_key(metric)
        found = replace_curve(cursor, self.number, metric, self.tails.get(metric), points)
        if found is not None:
            tail, value = found
            self.tails[metric] = tail
            self.written += tail.points
            if value is not None:
                self.values[key] = value

    def rebuild(self, cursor: Cursor) -> None:
        """Build all curves of the run."""
        cursor.execute(METRICS, {"id": self.number})
        by_key: dict[str, list[str]] = {}
        for (metric,) in cursor.fetchall():
            by_key.setdefault(metric_key(metric), []).append(metric)
        self.extensions, self.values = [], {}
        for metrics in by_key.values():
            chosen = choose_metric(metrics)
            self.tails |= {metric: None for metric in metrics if metric != chosen}
            self.replace(cursor, chosen)

    def extend(self, cursor: Cursor) -> None:
        """Prepare the extensions of curves, and build those that cannot be extended."""
        keys = {metric_key(metric) for metric in self.tails}
        for metric, points in self.pending.points.items():
            if metric not in self.tails and metric_key(metric) in keys:
                self.rebuild(cursor)  # a second metric with this key
                return
            keys.add(metric_key(metric))
            if metric in self.tails and self.tails[metric] is None:
                continue
            tail = self.tails.get(metric)
            extension = None if tail is None else extend(self.number, metric, tail, points)
            if extension is None:
                self.replace(cursor, metric)
            else:
                self.extensions.append(extension)

    def finish(self, cursor: Cursor, failed: Sequence[Extension]) -> None:
        """Take the tails of the extensions, and build the curves of those that failed."""
        for extension in self.extensions:
            if extension in failed:
                self.replace(cursor, extension.metric)
                continue
            self.tails[extension.metric] = extension.after
            self.written += extension.after.points if extension.steps else 0
            value = last_finite(extension.values)
            if value is not None:
                self.values[metric_key(extension.metric)] = value


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
        cursor.execute(LOCK, [list(taken)])
        states: dict[int, str] = {}
        folds: list[_Fold] = []
        for number, state, has_history in cursor.fetchall():
            states[number] = state
            if has_history:
                histories.restore(cursor, number)
                self._tails.pop(number, None)
            fold = _Fold(number, taken[number])
            tails = self._tails.get(number)
            if tails is None or not taken[number].is_complete:
                fold.rebuild(cursor)
            else:
                fold.tails = dict(tails)
                fold.extend(cursor)
            folds.append(fold)
        failed = append(cursor, [extension for fold in folds for extension in fold.extensions])
        for fold in folds:
            fold.finish(cursor, failed)
        if folds:
            runs = [(fold.number, fold.values, fold.pending.is_heard) for fold in folds]
            update_metrics(cursor, runs)
        for fold in folds:
            if states[fold.number] == "running":
                self._tails[fold.number] = fold.tails
            else:
                self._tails.pop(fold.number, None)
        return sum(fold.written for fold in folds)
