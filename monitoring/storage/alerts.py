"""Rows of alerts, and the requests that a critical alert makes."""

import json
import logging
from collections.abc import Iterable, Sequence

import psycopg2
import psycopg2.errors
from psycopg2.extensions import cursor as Cursor  # noqa: N812

from monitoring.checks.alert_book import DRIFT, Alert, Details
from monitoring.checks.track import Onset

BY = "monitor"
OPEN = """
SELECT id, model_version_id::text, kind, family, families, path, severity, onset_number,
       (extract(epoch FROM onset_at) * 1000000)::bigint, image_number, evidence, features, sources,
       example_images::text[], quiet_images
FROM alerts
WHERE task = %s AND closed_at IS NULL AND kind IN ('drift', 'accuracy')
  AND model_version_id IS NOT NULL
ORDER BY id
"""
ADD = """
INSERT INTO alerts (task, model_version_id, kind, family, families, path, severity, onset_at,
    onset_number, image_number, evidence, features, sources, example_images, quiet_images,
    opened_at, last_seen_at)
VALUES (%(task)s, %(version)s, %(kind)s, %(family)s, %(families)s, %(path)s, %(severity)s,
    to_timestamp(nullif(%(onset_at)s, 0) / 1000000.0), nullif(%(onset_number)s, 0),
    %(image_number)s, %(evidence)s, %(features)s, %(sources)s, %(examples)s::uuid[], %(quiet)s,
    clock_timestamp(), clock_timestamp())
RETURNING id
"""
CHANGE = """
UPDATE alerts SET families = %(families)s, severity = %(severity)s,
    onset_at = to_timestamp(nullif(%(onset_at)s, 0) / 1000000.0),
    onset_number = nullif(%(onset_number)s, 0), evidence = %(evidence)s, features = %(features)s,
    sources = %(sources)s, example_images = %(examples)s::uuid[], quiet_images = %(quiet)s,
    last_seen_at = CASE WHEN %(is_seen)s THEN clock_timestamp() ELSE last_seen_at END
WHERE id = %(id)s AND closed_at IS NULL
"""
CLOSE = "SELECT close_alert(%s, %s, %s)"
# Labels that no dataset of the champion has yet
LABELS_WAITING = "SELECT count(*) FROM labels_waiting WHERE task = %s AND has_original"
RETRAIN = "SELECT request_retraining(%s, %s, %s, %s)"
RANDOM_LABELS = "SELECT request_labels(%s, %s, %s)"
NOVEL_LABELS = "SELECT request_novel_labels(%s, %s::uuid[], %s)"
CRITICAL_WITHOUT_REQUEST = """
SELECT a.task, a.id, a.features FROM alerts a
WHERE a.closed_at IS NULL AND a.severity = 'critical'
  AND NOT EXISTS (SELECT FROM retrain_requests r WHERE r.alert_id = a.id)
  AND NOT EXISTS (SELECT FROM retrain_requests r
                  WHERE r.task = a.task AND r.asked_at > now() - interval '24 hours')
ORDER BY a.id
"""
RETRAIN_LABELS, ASKED_LABELS = 200, 50

logger = logging.getLogger(__name__)


def load_open(cursor: Cursor, task: str, position: int) -> list[Alert]:
    """Return the open alerts of a task, whose quiet images are counted up to `position`.

    Raises psycopg2.Error.
    """
    cursor.execute(OPEN, [task])
    return [
        Alert(
            id=row[0],
            version_id=row[1],
            kind=row[2],
            family=row[3],
            families=row[4],
            path=row[5],
            severity=row[6],
            onset=Onset(row[7] or 0, row[8] or 0),
            image_number=row[9],
            evidence=row[10],
            features=row[11],
            details=Details(row[12], row[13]),
            quiet_images=row[14],
            position=position,
        )
        for row in cursor.fetchall()
    ]


def store(cursor: Cursor, task: str, alerts: Iterable[Alert]) -> None:
    """Write new, changed and closed alerts in their order. Raises psycopg2.Error."""
    for alert in alerts:
        arguments = {
            "id": alert.id,
            "task": task,
            "version": alert.version_id,
            "kind": alert.kind,
            "family": alert.family,
            "families": alert.families,
            "path": alert.path,
            "severity": alert.severity,
            "onset_at": alert.onset.at,
            "onset_number": alert.onset.number,
            "image_number": alert.image_number,
            "evidence": alert.evidence,
            "features": json.dumps(alert.features),
            "sources": json.dumps(alert.details.sources),
            "examples": alert.details.examples,
            "quiet": alert.quiet_images,
            "is_seen": alert.is_seen,
        }
        if alert.id is None:
            cursor.execute(ADD, arguments)
            [(alert.id,)] = cursor.fetchall()
            logger.warning("Alert opened", extra=_fields(task, alert))
        elif alert.is_changed:
            cursor.execute(CHANGE, arguments)
            if alert.has_risen:
                logger.warning("Alert rose", extra=_fields(task, alert))
        if alert.close_reason is not None:
            close(cursor, alert.id, alert.close_reason)


def close(cursor: Cursor, alert_id: int | None, reason: str, by: str = BY) -> None:
    """Close an alert. Raises psycopg2.Error."""
    cursor.execute(CLOSE, [alert_id, by, reason])
    logger.info("Alert closed", extra={"alert": alert_id, "reason": reason})


def close_drift(alerts: Iterable[Alert], cursor: Cursor, reason: str, by: str) -> None:
    """Close the drift alerts among open alerts. Raises psycopg2.Error."""
    for alert in alerts:
        if alert.kind == DRIFT:
            close(cursor, alert.id, reason, by)


def ask_for_help(cursor: Cursor, task: str, alert: Alert, novel: Sequence[str]) -> None:
    """Ask for retraining because of an alert that became critical, or for labels if there are few.

    `novel` are the images that are least like the reference. Raises psycopg2.Error.
    """
    if request_retraining(cursor, task, alert):
        return
    by = f"{BY}, alert {alert.id}"
    cursor.execute("SAVEPOINT labels")
    try:
        cursor.execute(RANDOM_LABELS, [task, ASKED_LABELS, by])
        cursor.execute(NOVEL_LABELS, [task, list(novel[:ASKED_LABELS]), by])
    except psycopg2.errors.QueryCanceled:  # the alert matters more than its labels
        cursor.execute("ROLLBACK TO SAVEPOINT labels")
        logger.warning("Labels cannot be asked for in time", extra={"alert": alert.id})


def request_retraining(cursor: Cursor, task: str, alert: Alert) -> bool:
    """Ask the pipeline to retrain if there are enough labels. Returns False for too few.

    Raises psycopg2.Error.
    """
    return _retrain(cursor, task, alert.id, alert.features)


def request_due_retraining(cursor: Cursor) -> None:
    """Ask for retraining because of open critical alerts whose labels have arrived meanwhile.

    Raises psycopg2.Error.
    """
    cursor.execute(CRITICAL_WITHOUT_REQUEST)
    for task, alert_id, features in cursor.fetchall():
        _retrain(cursor, task, alert_id, features)


def _retrain(
    cursor: Cursor, task: str, alert_id: int | None, features: Sequence[dict[str, object]]
) -> bool:
    cursor.execute(LABELS_WAITING, [task])
    [(labels,)] = cursor.fetchall()
    if labels < RETRAIN_LABELS:
        return False
    names = ", ".join(dict.fromkeys(str(feature["feature"]) for feature in features[:3]))
    reason = f"Drift of {task} ({names}), alert {alert_id}. {labels} labels are waiting."
    cursor.execute(RETRAIN, [task, alert_id, labels, reason])
    [(request,)] = cursor.fetchall()
    if request is not None:
        logger.warning("Retraining requested", extra={"task": task, "alert": alert_id})
    return True


def _fields(task: str, alert: Alert) -> dict[str, object]:
    return {
        "task": task,
        "alert": alert.id,
        "severity": alert.severity,
        "families": alert.families,
        "features": [feature["feature"] for feature in alert.features],
    }
