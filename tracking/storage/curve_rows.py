"""Rows of metric_curves: built from all points of a metric, or extended by its new points."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile

from psycopg2.extensions import cursor as Cursor  # noqa: N812

from tracking.curves import Curve, best_point, build, is_better
from tracking.names import metric_key
from tracking.runs import Point

POINTS = """
SELECT step, logged_at, value FROM run_points WHERE experiment_id = %s AND metric = %s
ORDER BY step, logged_at, value
"""
REPLACE = """
INSERT INTO metric_curves (experiment_id, metric, steps, metric_values, best_value, best_step)
VALUES (%s, %s, %s::bigint[], %s::double precision[], %s, %s)
ON CONFLICT (experiment_id, metric) DO UPDATE SET steps = excluded.steps,
    metric_values = excluded.metric_values, best_value = excluded.best_value,
    best_step = excluded.best_step
"""
APPEND = """
UPDATE metric_curves c SET steps = c.steps || n.steps::bigint[],
    metric_values = c.metric_values || n.metric_values::double precision[],
    best_value = n.best_value, best_step = n.best_step
FROM unnest(%(ids)s::bigint[], %(metrics)s::text[], %(points)s::bigint[], %(last_steps)s::bigint[],
            %(steps)s::text[], %(values)s::text[], %(best_values)s::double precision[],
            %(best_steps)s::bigint[])
     AS n (experiment_id, metric, points, last_step, steps, metric_values, best_value, best_step)
WHERE c.experiment_id = n.experiment_id AND c.metric = n.metric AND c.points = n.points
  AND c.last_step = n.last_step
RETURNING c.experiment_id, c.metric
"""
UPDATE_METRICS = """
UPDATE experiments e SET metrics = e.metrics || n.metrics::jsonb, updated_at = now(),
    heartbeat_at = CASE WHEN n.is_heard THEN now() ELSE e.heartbeat_at END,
    silent_since = CASE WHEN NOT n.is_heard THEN e.silent_since END
FROM unnest(%s::bigint[], %s::text[], %s::boolean[]) AS n (id, metrics, is_heard)
WHERE e.id = n.id
"""

Identity = tuple[int, int, str]  # step, time and value of a point; NaN equals itself as a text


@dataclass(frozen=True)
class Tail:
    """End of a stored curve, as far as an extension has to know it.

    `ahead` are points of the curve that were committed while it was read. The next round brings
    them again.
    """

    points: int
    last_step: int
    best_value: float
    best_step: int
    ahead: frozenset[Identity] = frozenset()


@dataclass(frozen=True)
class Extension:
    """Points that follow a curve, with its tail before and after them."""

    experiment_id: int
    metric: str  # as sent
    before: Tail
    after: Tail
    steps: Sequence[int]
    values: Sequence[float]


def replace_curve(
    cursor: Cursor, experiment_id: int, metric: str, before: Tail | None, taken: Sequence[Point]
) -> tuple[Tail, float | None] | None:
    """Build a curve of all points of a metric. Return its tail and last finite value.

    `before` is the tail of the stored curve, None if it is unknown, and `taken` are the points of
    this round. None without points. A numbered curve has no tail that later points can follow.
    """
    cursor.execute(POINTS, [experiment_id, metric])
    rows = cursor.fetchall()
    if not rows:
        return None
    curve, key = build(rows), metric_key(metric)
    best_value, best_step = best_point(key, curve)
    steps, values = _array(curve.steps), _array(curve.values)
    cursor.execute(REPLACE, [experiment_id, key, steps, values, best_value, best_step])
    last_step = 2**63 if curve.is_numbered else curve.steps[-1]
    ahead: frozenset[Identity] = frozenset()
    if before is not None:
        new = takewhile(lambda row: row[0] > before.last_step, reversed(rows))
        ahead = frozenset((step, logged_at, repr(value)) for step, logged_at, value in new)
        ahead -= {_identity(point) for point in taken}
    return Tail(len(curve.steps), last_step, best_value, best_step, ahead), curve.last_finite


def extend(
    experiment_id: int, metric: str, tail: Tail, points: Sequence[Point]
) -> Extension | None:
    """Return the extension of a curve by points. None if they do not follow each other and it."""
    previous, best_value, best_step = tail.last_step, tail.best_value, tail.best_step
    key = metric_key(metric)
    ahead = set(tail.ahead)
    steps, values = [], []
    for point in points:
        if point.step <= previous:
            if point.step <= tail.last_step and _identity(point) in ahead:
                ahead.remove(_identity(point))
                continue
            return None
        previous = point.step
        steps.append(point.step)
        values.append(point.value)
        if is_better(key, point.value, best_value):
            best_value, best_step = point.value, point.step
    after = Tail(tail.points + len(steps), previous, best_value, best_step, frozenset(ahead))
    return Extension(experiment_id, metric, tail, after, steps, values)


def append(cursor: Cursor, extensions: Sequence[Extension]) -> list[Extension]:
    """Write extensions in one statement. Return those whose curve is not as their tail says."""
    written = [one for one in extensions if one.steps]
    if not written:
        return []
    arguments = {
        "ids": _array([one.experiment_id for one in written]),
        "metrics": [metric_key(one.metric) for one in written],
        "points": _array([one.before.points for one in written]),
        "last_steps": _array([one.before.last_step for one in written]),
        "steps": [_array(one.steps) for one in written],
        "values": [_array(one.values) for one in written],
        "best_values": _array([one.after.best_value for one in written]),
        "best_steps": _array([one.after.best_step for one in written]),
    }
    cursor.execute(APPEND, arguments)
    found = set(cursor.fetchall())
    return [one for one in written if (one.experiment_id, metric_key(one.metric)) not in found]


def last_finite(values: Sequence[float]) -> float | None:
    """Return the last finite value, None without one."""
    return Curve([], values).last_finite


def update_metrics(cursor: Cursor, runs: Sequence[tuple[int, Mapping[str, float], bool]]) -> None:
    """Store the last values of metrics by run, and whether the run was heard of."""
    numbers = [number for number, *_ in runs]
    metrics = [
        json.dumps({key: value for key, value in values.items() if math.isfinite(value)})
        for _, values, _ in runs
    ]
    cursor.execute(UPDATE_METRICS, [numbers, metrics, [is_heard for *_, is_heard in runs]])


def _identity(point: Point) -> Identity:
    return point.step, point.logged_at, repr(point.value)


def _array(values: Sequence[int] | Sequence[float]) -> str:
    return "{" + ",".join(map(repr, values)) + "}"
