"""Reads of what the metrics show: open alerts, evidence and accuracies of the watched versions."""

import math
from collections.abc import Iterable, Mapping
from dataclasses import replace
from typing import Any

from psycopg2.extensions import cursor as Cursor  # noqa: N812

from monitoring.checks.alert_book import CRITICAL, IMAGE_FAMILIES, INFO, WARNING
from monitoring.detector import LABELS
from monitoring.metrics import UNKNOWN, Accuracy, Snapshot

EVIDENCE = """
SELECT d.task, m.experiment_name, m.version, d.family, max(d.evidence)
FROM drift_monitors d JOIN model_versions m ON m.id = d.model_version_id
WHERE d.watched GROUP BY d.task, m.experiment_name, m.version, d.family
"""
OPEN = """
SELECT a.task, m.experiment_name, m.version, a.families, a.severity
FROM alerts a JOIN model_versions m ON m.id = a.model_version_id WHERE a.closed_at IS NULL
"""
ACCURACIES = """
SELECT w.task, m.experiment_name, m.version,
       coalesce((SELECT min(r.test_accuracy) FROM drift_references r
                 WHERE r.model_version_id = m.id AND r.replaced_at IS NULL), m.test_accuracy),
       (SELECT c.estimated_accuracy FROM drift_monitors d JOIN drift_checks c ON c.monitor_id = d.id
        WHERE d.model_version_id = m.id AND d.family = 'confidence' ORDER BY c.at DESC LIMIT 1),
       l.images, l.correct
FROM (SELECT DISTINCT task, model_version_id FROM drift_monitors WHERE watched) w
JOIN model_versions m ON m.id = w.model_version_id
LEFT JOIN LATERAL (
    SELECT count(*) AS images, count(*) FILTER (WHERE p.label = l.label) AS correct
    FROM labels l JOIN predictions p ON p.image_id = l.image_id AND p.task = l.task
    WHERE l.task = w.task AND l.source = 'random' AND l.replaced_at IS NULL
      AND l.labelled_at > now() - interval '30 days' AND p.model_version_id = m.id
) l ON true
"""
Z = 1.96


def read_evidence(cursor: Cursor, accuracies: Mapping[tuple[str, ...], Accuracy]) -> Snapshot:
    """Return the snapshot of open alerts and evidence. Raises psycopg2.Error."""
    cursor.execute(EVIDENCE)
    evidence: dict[tuple[str, ...], float] = {
        (task, name, str(version), family): UNKNOWN if value is None else float(value)
        for task, name, version, family, value in cursor.fetchall()
    }
    opened: dict[tuple[str, ...], int] = {
        (*labels, severity): 0 for labels in evidence for severity in _severities(labels[-1])
    }
    cursor.execute(OPEN)
    drifting = set()
    for task, name, version, families, severity in cursor.fetchall():
        for family in families:
            opened[task, name, str(version), family, severity] = 1
        if IMAGE_FAMILIES & set(families):
            drifting.add(task)
    shown = {
        labels: replace(accuracy, estimated=UNKNOWN) if labels[0] in drifting else accuracy
        for labels, accuracy in accuracies.items()
    }
    return Snapshot(opened, evidence, shown)


def read_accuracies(cursor: Cursor) -> dict[tuple[str, ...], Accuracy]:
    """Return the accuracies of the watched versions. Raises psycopg2.Error."""
    cursor.execute(ACCURACIES)
    return {(row[0], row[1], str(row[2])): _accuracy(row[3:]) for row in cursor.fetchall()}


def wilson(correct: int, images: int) -> tuple[float, float]:
    """Return the 95 % interval of a share of at least one image, by Wilson's score."""
    share, square = correct / images, Z * Z
    center = share + square / (2 * images)
    width = Z * math.sqrt(share * (1 - share) / images + square / (4 * images**2))
    scale = 1 + square / images
    return (center - width) / scale, (center + width) / scale


def _accuracy(row: Iterable[Any]) -> Accuracy:
    test, estimated, images, correct = row
    known = Accuracy(_known(test), _known(estimated))
    if not images:
        return known
    lower, upper = wilson(correct, images)
    return replace(known, live=correct / images, lower=lower, upper=upper)


def _known(value: float | None) -> float:
    return UNKNOWN if value is None else float(value)


def _severities(family: str) -> tuple[str, ...]:
    if family == LABELS:
        return (INFO,)
    return (WARNING, CRITICAL)
