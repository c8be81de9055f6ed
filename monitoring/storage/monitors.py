"""Rows of drift_monitors and drift_checks."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from psycopg2.extensions import cursor as Cursor  # noqa: N812
from psycopg2.extras import execute_values

from monitoring.checks.accuracy import THRESHOLD as ACCURACY_THRESHOLD
from monitoring.checks.alert_book import ACCURACY
from monitoring.checks.history import Check
from monitoring.detector import CONFIDENCE, INPUTS, LABELS, NOVELTY, PATHS, THRESHOLDS
from monitoring.storage.versions import Version

ALL = "all"
COLUMNS = """
id, model_version_id::text, path, family, reference_id, threshold, cursor, images, skipped, learnt,
state, evidence, top_feature
"""
LOAD = f"SELECT {COLUMNS} FROM drift_monitors WHERE task = %s AND watched ORDER BY id"
CURSOR = "SELECT max(cursor) FROM drift_monitors WHERE task = %s AND family <> 'accuracy'"
WATCHED = """
SELECT concat_ws('/', model_version_id, path, family), threshold FROM drift_monitors
WHERE task = %s AND watched
"""
UNWATCH = """
UPDATE drift_monitors SET watched = false
WHERE task = %s AND watched AND NOT concat_ws('/', model_version_id, path, family) = ANY (%s)
"""
# A family that comes back, as those of a new champion, starts at the end of what has been examined.
WATCH = """
INSERT INTO drift_monitors AS d (task, model_version_id, path, family, threshold, cursor)
VALUES (%(task)s, %(version)s, %(path)s, %(family)s, %(threshold)s, %(cursor)s)
ON CONFLICT (model_version_id, path, family) DO UPDATE
SET watched = true, threshold = excluded.threshold,
    cursor = CASE WHEN d.watched OR d.family = 'accuracy' THEN d.cursor ELSE excluded.cursor END,
    state = CASE WHEN d.watched OR d.family NOT IN ('inputs', 'novelty') THEN d.state
                 ELSE '{}' END
WHERE NOT d.watched OR d.threshold <> excluded.threshold
"""
SAVE = """
UPDATE drift_monitors d SET reference_id = v.reference_id::bigint, images = v.images,
    skipped = v.skipped, learnt = v.learnt, state = v.state::double precision[],
    evidence = v.evidence::double precision, top_feature = v.top_feature, cursor = v.cursor,
    examined_at = now()
FROM (VALUES %s) AS v (id, reference_id, images, skipped, learnt, state, evidence, top_feature,
                       cursor)
WHERE d.id = v.id
"""
MOVE = "UPDATE drift_monitors SET cursor = %s WHERE id = ANY (%s)"
ADD_CHECKS = """
INSERT INTO drift_checks (monitor_id, images, examined, evidence, highest, means, label_counts,
                          estimated_accuracy, skipped) VALUES %s
"""


@dataclass(frozen=True)
class Monitor:
    """Row of drift_monitors."""

    id: int
    version_id: str
    path: str
    family: str
    reference_id: int | None
    threshold: float
    cursor: int
    images: int
    skipped: int
    learnt: int
    state: tuple[float, ...]
    evidence: float | None
    top_feature: str | None


def task_cursor(cursor: Cursor, task: str) -> int | None:
    """Return the cursor of a task, None for a new task. Raises psycopg2.Error."""
    cursor.execute(CURSOR, [task])
    [(number,)] = cursor.fetchall()
    return None if number is None else int(number)


def synchronize(cursor: Cursor, task: str, versions: Sequence[Version], position: int) -> None:
    """Write the detectors of the watched versions. New ones start behind `position`.

    Raises psycopg2.Error.
    """
    cursor.execute(WATCHED, [task])
    watched = dict(cursor.fetchall())
    wanted = {
        (version.id, path, family): threshold
        for version in versions
        for path, family, threshold in _detectors(version)
    }
    for (version_id, path, family), threshold in wanted.items():
        if watched.get(f"{version_id}/{path}/{family}") == threshold:
            continue
        arguments = {
            "task": task,
            "version": version_id,
            "path": path,
            "family": family,
            "threshold": threshold,
            "cursor": 0 if family == ACCURACY else position,
        }
        cursor.execute(WATCH, arguments)
    if len(watched) > len(wanted) or any(tuple(key.split("/")) not in wanted for key in watched):
        cursor.execute(UNWATCH, [task, ["/".join(key) for key in wanted]])


def load(cursor: Cursor, task: str) -> list[Monitor]:
    """Return the watched detectors of a task. Raises psycopg2.Error."""
    cursor.execute(LOAD, [task])
    monitors = (Monitor(*row) for row in cursor.fetchall())
    return [replace(monitor, state=tuple(monitor.state)) for monitor in monitors]


def save(cursor: Cursor, monitors: Iterable[Monitor]) -> None:
    """Write changed detectors. Raises psycopg2.Error."""
    rows = [
        (
            monitor.id,
            monitor.reference_id,
            monitor.images,
            monitor.skipped,
            monitor.learnt,
            "{" + ",".join(map(repr, monitor.state)) + "}",  # as text, which is exact
            monitor.evidence,
            monitor.top_feature,
            monitor.cursor,
        )
        for monitor in monitors
    ]
    if rows:
        execute_values(cursor, SAVE, rows, page_size=len(rows))


def move(cursor: Cursor, monitors: Iterable[Monitor], position: int) -> None:
    """Set the cursor of detectors that are not changed otherwise. Raises psycopg2.Error."""
    cursor.execute(MOVE, [position, [monitor.id for monitor in monitors]])


def add_checks(cursor: Cursor, checks: Mapping[int, Sequence[tuple[int, Check]]]) -> None:
    """Add rows of drift_checks: by monitor, the images so far and the check.

    Raises psycopg2.Error.
    """
    rows = [
        (
            monitor_id,
            images,
            check.examined,
            check.evidence,
            check.highest,
            check.means,
            check.label_counts,
            check.estimated_accuracy,
            check.skipped,
        )
        for monitor_id, of_monitor in checks.items()
        for images, check in of_monitor
    ]
    if rows:
        template = "(%s, %s, %s, %s, %s, %s::real[], %s::bigint[], %s::double precision, %s)"
        execute_values(cursor, ADD_CHECKS, rows, template=template, page_size=len(rows))


def _detectors(version: Version) -> Iterable[tuple[str, str, float]]:
    """Yield path, family and threshold of the detectors of a version."""
    families = (
        (INPUTS, NOVELTY, CONFIDENCE, LABELS) if version.is_champion else (CONFIDENCE, LABELS)
    )
    for path in PATHS:
        for family in families:
            yield path, family, THRESHOLDS[family]
    yield ALL, ACCURACY, ACCURACY_THRESHOLD
