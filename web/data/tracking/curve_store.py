"""Curve store: curves of runs in memory, which read only the points that are new."""

import threading
from collections import OrderedDict
from dataclasses import dataclass, field

from sqlalchemy import Engine

from web.data.tracking.run_queries import read_points, read_summaries
from web.data.tracking.types import Curve, CurveSummary

# A run with 10 metrics of 1,000 points takes 700 kB.
CAPACITY = 32


@dataclass(frozen=True)
class Curves:
    """Curves of a run with their summaries, both by metric."""

    curves: tuple[Curve, ...]
    summaries: tuple[CurveSummary, ...]


@dataclass
class _Entry:
    lock: threading.Lock = field(default_factory=threading.Lock)
    curves: dict[str, Curve] = field(default_factory=dict)
    summaries: dict[str, CurveSummary] = field(default_factory=dict)


class CurveStore:
    """Curves of the runs that were read last. Thread-safe."""

    def __init__(self, capacity: int = CAPACITY) -> None:
        self._capacity = capacity
        self._entries: OrderedDict[int, _Entry] = OrderedDict()
        self._lock = threading.Lock()

    def read(self, engine: Engine, run: int) -> Curves:
        """Read the curves of a run. The known points of a curve that only grew stay.

        Raises:
            SQLAlchemyError: the database is down, has no schema, or denies access.

        """
        with self._lock:
            entry = self._entries.setdefault(run, _Entry())
            self._entries.move_to_end(run)
            while len(self._entries) > self._capacity:
                self._entries.popitem(last=False)
        with (
            entry.lock,
            # One state for summaries and points: a run may log between two queries.
            engine.connect().execution_options(isolation_level="REPEATABLE READ") as connection,
        ):
            summaries = {one.metric: one for one in read_summaries(connection, run)}
            curves = {name: entry.curves[name] for name in summaries if name in entry.curves}
            changed = [
                one for name, one in summaries.items() if _differ(one, entry.summaries.get(name))
            ]
            known = {one.metric: _known_points(one, curves.get(one.metric)) for one in changed}
            added = read_points(connection, run, known) if known else {}
            grown = {name: _join(curves.get(name), curve) for name, curve in added.items()}
            # A point before the last known one: the known ones are not the first ones any more.
            moved = {one.metric: 0 for one in changed if not _fits(grown[one.metric], one)}
            if moved:
                grown |= read_points(connection, run, moved)
            curves |= grown
            entry.curves, entry.summaries = curves, summaries
        return Curves(tuple(curves[name] for name in summaries), tuple(summaries.values()))


def _differ(first: CurveSummary, second: CurveSummary | None) -> bool:
    """Return whether two summaries differ. NaN equals NaN."""
    return repr(first) != repr(second)


def _known_points(summary: CurveSummary, curve: Curve | None) -> int:
    """Return the number of points to keep: all if the curve became longer, else none."""
    return len(curve.steps) if curve is not None and len(curve.steps) < summary.points else 0


def _join(known: Curve | None, added: Curve) -> Curve:
    """Return the known points and those that follow them."""
    if known is None or not added.steps or added.steps[0] <= known.steps[-1]:
        return added
    return Curve(added.metric, known.steps + added.steps, known.values + added.values)


def _fits(curve: Curve, summary: CurveSummary) -> bool:
    """Return whether a curve has the points of its summary."""
    return len(curve.steps) == summary.points
