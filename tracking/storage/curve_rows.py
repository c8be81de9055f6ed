"""Rows of metric_curves: built from all points of a metric, or extended by its new points."""

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

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
VALUES (%s, %s, %s, %s::double precision[], %s, %s)
ON CONFLICT (experiment_id, metric) DO UPDATE SET steps = excluded.steps,
    metric_values = excluded.metric_values, best_value = excluded.best_value,
    best_step = excluded.best_step
"""
APPEND = """
UPDATE metric_curves SET steps = steps || %s::bigint[],
    metric_values = metric_values || %s::double precision[], best_value = %s, best_step = %s
WHERE experiment_id = %s AND metric = %s AND points = %s AND last_step = %s
"""
UPDATE_METRICS = """
UPDATE experiments SET metrics = metrics || %(metrics)s::jsonb, updated_at = now(),
    heartbeat_at = CASE WHEN %(is_heard)s THEN now() ELSE heartbeat_at END,
    silent_since = CASE WHEN NOT %(is_heard)s THEN silent_since END
WHERE id = %(id)s
"""


@dataclass(frozen=True)
class Tail:
    """End of a stored curve, as far as an extension has to know it."""

    points: int
    last_step: int
    best_value: float
    best_step: int


def replace_curve(
    cursor: Cursor, experiment_id: int, metric: str
) -> tuple[Tail, float | None] | None:
    """Build a curve of all points of a metric. Return its tail and last finite value.

    None without points. A numbered curve has no tail that later points can follow.
    """
    cursor.execute(POINTS, [experiment_id, metric])
    rows = cursor.fetchall()
    if not rows:
        return None
    curve, key = build(rows), metric_key(metric)
    best_value, best_step = best_point(key, curve)
    arguments = [experiment_id, key, list(curve.steps), _array(curve.values), best_value, best_step]
    cursor.execute(REPLACE, arguments)
    last_step = 2**63 if curve.is_numbered else curve.steps[-1]
    return Tail(len(curve.steps), last_step, best_value, best_step), curve.last_finite


def append_points(
    cursor: Cursor, experiment_id: int, metric: str, tail: Tail, points: Sequence[Point]
) -> Tail | None:
    """Extend a curve by points, and return its new tail.

    None, with nothing changed, if they do not follow each other and the curve, or if the curve is
    not as the tail says.
    """
    previous, best_value, best_step = tail.last_step, tail.best_value, tail.best_step
    key = metric_key(metric)
    for point in points:
        if point.step <= previous:
            return None
        previous = point.step
        if is_better(key, point.value, best_value):
            best_value, best_step = point.value, point.step
    steps, values = [point.step for point in points], [point.value for point in points]
    curve = [steps, _array(values), best_value, best_step]
    cursor.execute(APPEND, [*curve, experiment_id, key, tail.points, tail.last_step])
    if cursor.rowcount != 1:
        return None
    return Tail(tail.points + len(points), previous, best_value, best_step)


def last_finite(points: Sequence[Point]) -> float | None:
    """Return the last finite value of points, None without one."""
    return Curve([], [point.value for point in points]).last_finite


def update_metrics(
    cursor: Cursor, experiment_id: int, values: Mapping[str, float], *, is_heard: bool
) -> None:
    """Store the last values of metrics, and whether the run was heard of."""
    finite = {key: value for key, value in values.items() if math.isfinite(value)}
    arguments = {"metrics": json.dumps(finite), "id": experiment_id, "is_heard": is_heard}
    cursor.execute(UPDATE_METRICS, arguments)


def _array(values: Sequence[float]) -> str:
    return "{" + ",".join(map(repr, values)) + "}"
