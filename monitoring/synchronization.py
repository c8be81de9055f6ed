"""Synchronization: brings the detectors of a task in line with its versions and references."""

import logging
from collections.abc import Sequence
from dataclasses import replace

from psycopg2.extensions import cursor as Cursor  # noqa: N812

from monitoring.checks.alert_book import DRIFT, IMAGE_FAMILIES, Alert
from monitoring.detector import PATHS
from monitoring.reference_files import ReferenceFiles
from monitoring.storage import alerts, monitors, predictions
from monitoring.storage.monitors import Monitor
from monitoring.storage.references import (
    TEST,
    NewReference,
    References,
    StoredReference,
    add_reference,
)
from monitoring.storage.versions import Version
from monitoring.task_state import LEARNT_IMAGES, Learning, TaskState, TrackKey, make_tracks

logger = logging.getLogger(__name__)


def synchronize(
    cursor: Cursor,
    task: str,
    versions: Sequence[Version],
    files: ReferenceFiles,
    references: References,
) -> TaskState:
    """Write the detectors of the watched versions of a task, and return them.

    Raises psycopg2.Error.
    """
    position = monitors.task_cursor(cursor, task)
    if position is None:
        position = predictions.first_cursor(cursor, task)
    monitors.synchronize(cursor, task, versions, position)
    current = _current_references(cursor, versions, files, references)
    loaded = monitors.load(cursor, task)
    assigned = _assign_references(versions, loaded, current, position)
    monitors.save(cursor, [new for new, old in zip(assigned, loaded, strict=True) if new != old])
    for alert in alerts.load_open(cursor, task, position):
        if reason := _closing_reason(alert, versions):
            alerts.close(cursor, alert.id, reason)
    return TaskState(task, tuple(versions), tuple(assigned), position)


def _current_references(
    cursor: Cursor,
    versions: Sequence[Version],
    files: ReferenceFiles,
    references: References,
) -> dict[TrackKey, StoredReference]:
    """Return the current references, after those of new or changed files are stored."""
    ids = [version.id for version in versions]
    current = references.current(cursor, ids)
    is_changed = False
    for version in versions:
        file = files.read(version)
        for path in PATHS if file is not None else ():
            stored = current.get((version.id, path))
            if file is None or (stored is not None and stored.origin != TEST):
                continue
            if stored is None or stored.digest != file[path].digest:
                new = NewReference(version.task, version.id, path, TEST, alerts.BY, file[path])
                add_reference(cursor, new)
                is_changed = True
    return references.current(cursor, ids) if is_changed else current


def _assign_references(
    versions: Sequence[Version],
    loaded: Sequence[Monitor],
    current: dict[TrackKey, StoredReference],
    position: int,
) -> list[Monitor]:
    """Return the detectors with their references, or with what they learn."""
    learnings = {
        key: next(filter(None, map(Learning.of, track.monitors)), None)
        for key, track in make_tracks(versions, loaded).items()
    }
    assigned = []
    for monitor in loaded:
        key = (monitor.version_id, monitor.path)
        stored, learning = current.get(key), learnings.get(key)
        is_asked_for = learning is not None and learning.request
        if key not in learnings:  # of the accuracy, which has no reference of its own
            changed = monitor
        elif stored is not None and not is_asked_for:
            changed = replace(monitor, reference_id=stored.id, state=(), learnt=0, evidence=None)
            if monitor.reference_id == stored.id:
                changed = monitor
        elif Learning.of(monitor) is None:
            wanted = learning or Learning(position, LEARNT_IMAGES, 0)
            changed = replace(
                monitor, reference_id=None, state=wanted.numbers, evidence=None, learnt=0
            )
        else:
            changed = monitor
        assigned.append(changed)
    return assigned


def _closing_reason(alert: Alert, versions: Sequence[Version]) -> str | None:
    """Return why the alert of a version that is not examined any longer ends, else None."""
    version = next((version for version in versions if version.id == alert.version_id), None)
    if version is None:
        return "The monitor does not watch this version any longer."
    if alert.kind == DRIFT and IMAGE_FAMILIES & set(alert.families) and not version.is_champion:
        return "Another version is the champion."
    return None
