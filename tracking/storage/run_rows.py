"""Rows of runs: reads experiments with their parameters and last points."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from psycopg2.extensions import cursor as Cursor  # noqa: N812

from tracking.runs import Point, Run

COLUMNS = """
e.id, e.run_id, e.name, e.task, e.source, e.state, e.project_id, e.owner, e.note, e.note_revision,
e.tags, e.learning_rate, e.momentum, e.metrics, e.created_at, e.updated_at, e.started_at,
e.ended_at, e.silent_since, e.archived_at,
(SELECT p.name FROM projects p WHERE p.id = e.project_id), e.note_author, e.tags_author
"""
BY_RUN_ID = f"SELECT {COLUMNS} FROM experiments e WHERE e.run_id = %s"
BY_KEY = f"SELECT {COLUMNS} FROM experiments e WHERE e.creation_key = %s"
BY_NAME = f"SELECT {COLUMNS} FROM experiments e WHERE e.name = %s"
BY_PREVIOUS_NAME = f"""
SELECT {COLUMNS} FROM previous_names p JOIN experiments e ON e.id = p.experiment_id
WHERE p.name = %s
"""
# Columns of a row of a CSV file, as the parameters of its run.
ROW_PARAMS = """
jsonb_each_text(e.params || jsonb_strip_nulls(
    jsonb_build_object('learning_rate', e.learning_rate, 'momentum', e.momentum)))
"""
PARAMS = f"""
SELECT experiment_id, key, value FROM run_params WHERE experiment_id = ANY (%(ids)s)
UNION ALL
SELECT e.id, p.key, p.value FROM experiments e CROSS JOIN LATERAL {ROW_PARAMS} p
WHERE e.id = ANY (%(ids)s) AND e.source = 'csv'
"""
# Time of a point that no client logged, in milliseconds since 1970
CREATED_AT = "(extract(epoch FROM e.created_at) * 1000)::bigint"
# The primary key has the order: one probe a metric, however many points it has.
LAST_POINTS = f"""
WITH RECURSIVE metrics AS (
    SELECT e.id, (SELECT min(metric) FROM run_points WHERE experiment_id = e.id) AS metric
    FROM unnest(%(ids)s) AS e (id)
    UNION ALL
    SELECT m.id, (SELECT min(p.metric) FROM run_points p
                  WHERE p.experiment_id = m.id AND p.metric > m.metric)
    FROM metrics m WHERE m.metric IS NOT NULL
)
SELECT m.id, m.metric, p.step, p.logged_at, p.value
FROM metrics m CROSS JOIN LATERAL (
    SELECT step, logged_at, value FROM run_points
    WHERE experiment_id = m.id AND metric = m.metric
    ORDER BY step DESC, logged_at DESC, value DESC LIMIT 1) p
WHERE m.metric IS NOT NULL
UNION ALL
SELECT experiment_id, metric, steps[cardinality(steps)], logged_at[cardinality(logged_at)],
       metric_values[cardinality(metric_values)]
FROM run_histories WHERE experiment_id = ANY (%(ids)s)
UNION ALL
SELECT e.id, c.metric, c.last_step, {CREATED_AT}, c.last_value
FROM experiments e JOIN metric_curves c ON c.experiment_id = e.id
WHERE e.id = ANY (%(ids)s) AND e.source = 'csv'
"""


def read_runs(cursor: Cursor, statement: str, arguments: Any) -> list[Run]:
    """Return the runs of a statement that selects COLUMNS, complete."""
    cursor.execute(statement, arguments)
    rows = cursor.fetchall()
    ids = [row[0] for row in rows]
    params, latest = _params(cursor, ids), _last_points(cursor, ids)
    return [replace(Run(*row), params=params[row[0]], latest=latest[row[0]]) for row in rows]


def _params(cursor: Cursor, ids: Sequence[int]) -> dict[int, dict[str, str]]:
    found: dict[int, dict[str, str]] = {number: {} for number in ids}
    if ids:
        cursor.execute(PARAMS, {"ids": list(ids)})
        for number, key, value in cursor:
            found[number][key] = value
    return found


def _last_points(cursor: Cursor, ids: Sequence[int]) -> dict[int, dict[str, Point]]:
    found: dict[int, dict[str, Point]] = {number: {} for number in ids}
    if ids:
        cursor.execute(LAST_POINTS, {"ids": list(ids)})
        for number, metric, step, logged_at, value in cursor:
            other = found[number].get(metric)
            if other is None or (step, logged_at) >= (other.step, other.logged_at):
                found[number][metric] = Point(metric, step, logged_at, value)
    return found
