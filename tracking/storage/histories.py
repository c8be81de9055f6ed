"""Histories: points of runs that have ended, one row a metric, and back after a late write."""

from psycopg2.extensions import cursor as Cursor  # noqa: N812

from tracking.names import metric_key
from tracking.runs import Point
from tracking.storage.run_rows import CREATED_AT

# The lock keeps requests with late points out until the end of the transaction: each of them locks
# the row for its foreign key.
LOCK = "SELECT state FROM experiments WHERE id = %s FOR UPDATE"
MOVE = """
INSERT INTO run_histories (experiment_id, metric, steps, logged_at, metric_values)
SELECT experiment_id, metric, array_agg(step ORDER BY step, logged_at, value),
       array_agg(logged_at ORDER BY step, logged_at, value),
       array_agg(value ORDER BY step, logged_at, value)
FROM run_points WHERE experiment_id = %s GROUP BY experiment_id, metric
"""
DELETE_POINTS = "DELETE FROM run_points WHERE experiment_id = %s"
RESTORE = """
INSERT INTO run_points (experiment_id, metric, step, logged_at, value)
SELECT h.experiment_id, h.metric, p.step, p.logged_at, p.value
FROM run_histories h, unnest(h.steps, h.logged_at, h.metric_values) AS p (step, logged_at, value)
WHERE h.experiment_id = %s
ORDER BY 1, 2, 3, 4, 5
ON CONFLICT DO NOTHING
"""
DELETE_HISTORIES = "DELETE FROM run_histories WHERE experiment_id = %s RETURNING metric"
ENDED = """
SELECT e.id FROM experiments e
WHERE e.source <> 'csv' AND e.state <> 'running' AND e.heartbeat_at < now() - %s * interval '1 s'
  AND EXISTS (SELECT FROM run_points p WHERE p.experiment_id = e.id)
ORDER BY e.id LIMIT %s
"""
READ = """
SELECT step, logged_at, value FROM run_points
WHERE experiment_id = %(id)s AND metric = %(metric)s
UNION
SELECT p.step, p.logged_at, p.value
FROM run_histories h, unnest(h.steps, h.logged_at, h.metric_values) AS p (step, logged_at, value)
WHERE h.experiment_id = %(id)s AND h.metric = %(metric)s
ORDER BY 1, 2, 3 LIMIT %(limit)s OFFSET %(offset)s
"""
READ_DERIVED = f"""
SELECT p.step, {CREATED_AT}, p.value
FROM experiments e LEFT JOIN metric_curves c ON c.experiment_id = e.id AND c.metric = %(metric)s
CROSS JOIN LATERAL (
    SELECT * FROM unnest(c.steps, c.metric_values)
    UNION ALL
    SELECT 0, (e.metrics ->> %(metric)s)::double precision
    WHERE c.steps IS NULL AND e.metrics ? %(metric)s) p (step, value)
WHERE e.id = %(id)s
ORDER BY 1 LIMIT %(limit)s OFFSET %(offset)s
"""
CURVE = """
SELECT p.step, p.value
FROM metric_curves c, unnest(c.steps, c.metric_values) AS p (step, value)
WHERE c.experiment_id = %s AND c.metric = %s ORDER BY 1
"""


def ended_runs(cursor: Cursor, quiet_seconds: float, limit: int) -> list[int]:
    """Return runs that have ended and were quiet since, whose points are not moved."""
    cursor.execute(ENDED, [quiet_seconds, limit])
    return [number for (number,) in cursor]


def move(cursor: Cursor, experiment_id: int) -> None:
    """Move the points of a run to run_histories, in a transaction."""
    cursor.execute(LOCK, [experiment_id])
    row = cursor.fetchone()
    if row is None or row[0] == "running":
        return
    restore(cursor, experiment_id)
    cursor.execute(MOVE, [experiment_id])
    cursor.execute(DELETE_POINTS, [experiment_id])


def restore(cursor: Cursor, experiment_id: int) -> None:
    """Move the points of a run back to run_points, in a transaction."""
    cursor.execute(RESTORE, [experiment_id])
    cursor.execute(DELETE_HISTORIES, [experiment_id])


def read(
    cursor: Cursor, experiment_id: int, metric: str, limit: int | None, offset: int
) -> list[Point]:
    """Return the points of a metric in the order of step, time and value."""
    arguments = {"id": experiment_id, "metric": metric, "limit": limit, "offset": offset}
    cursor.execute(READ, arguments)
    return [Point(metric, *row) for row in cursor]


def read_derived(
    cursor: Cursor, experiment_id: int, metric: str, limit: int | None, offset: int
) -> list[Point]:
    """Return the points of a metric that was not sent under this name: its curve, or its value.

    They have the time at which the experiment was created.
    """
    arguments = {"id": experiment_id, "metric": metric_key(metric), "limit": limit}
    cursor.execute(READ_DERIVED, {**arguments, "offset": offset})
    return [Point(metric, *row) for row in cursor]


def read_curve(cursor: Cursor, experiment_id: int, key: str) -> list[tuple[int, float]]:
    """Return the steps and values of a curve, by its name in metric_curves, in order."""
    cursor.execute(CURVE, [experiment_id, key])
    return [(step, value) for step, value in cursor]
