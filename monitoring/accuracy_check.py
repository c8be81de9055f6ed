"""Accuracy check: examines the new labels that were asked for at random, for each version."""

from collections.abc import Sequence
from dataclasses import replace

from psycopg2.extensions import cursor as Cursor  # noqa: N812

from monitoring.checks.accuracy import AccuracyState, examine_labels
from monitoring.checks.alert_book import ACCURACY, AlertBook
from monitoring.checks.thinning import FULL
from monitoring.checks.track import Finding, Onset
from monitoring.storage import alerts
from monitoring.storage.labels import RandomLabel, read_random_labels
from monitoring.storage.monitors import Monitor
from monitoring.storage.references import References
from monitoring.task_state import TaskState

ALLOWANCE_NUMBERS = 2  # before the state of the accuracy
FEATURE = "error rate"


def check_accuracy(
    cursor: Cursor, state: TaskState, book: AlertBook, references: References, *, is_loaded: bool
) -> list[Monitor]:
    """Return the changed detectors. `is_loaded`: the book has the open alerts.

    Raises psycopg2.Error.
    """
    accuracies = {
        version.id: accuracy
        for version in state.versions
        if (accuracy := _test_accuracy(cursor, state, version.id, references)) is not None
    }
    detectors = {
        version: monitor
        for version, monitor in state.accuracy_monitors.items()
        if version in accuracies
    }
    before = {version: monitor.cursor for version, monitor in detectors.items()}
    labels, cursors = read_random_labels(cursor, state.task, before)
    if cursors == before:
        return []
    if not is_loaded and any(labels.values()):
        book.alerts = alerts.load_open(cursor, state.task, state.position)
    return [
        replace(
            _examine(monitor, labels[version], accuracies[version], book), cursor=cursors[version]
        )
        for version, monitor in detectors.items()
    ]


def _examine(
    monitor: Monitor, labels: Sequence[RandomLabel], test_accuracy: float, book: AlertBook
) -> Monitor:
    if not labels:
        return monitor
    allowance = monitor.state[:ALLOWANCE_NUMBERS] or FULL
    before = AccuracyState.from_list(monitor.state[ALLOWANCE_NUMBERS:])
    wrong = [label.is_wrong for label in labels]
    result = examine_labels(test_accuracy, before, wrong, monitor.threshold)
    counted = 0
    for position in result.crossings:
        book.count_quiet_labels(monitor.version_id, position - counted)
        counted = position + 1
        finding = Finding(
            number=0,
            image=before.labels + position + 1,
            family=ACCURACY,
            evidence=result.evidence[position],
            onset=Onset(),
            features=((FEATURE, 1.0),),
        )
        book.add_accuracy(monitor.version_id, finding)
    book.count_quiet_labels(monitor.version_id, len(labels) - counted)
    return replace(
        monitor,
        images=result.state.labels,
        state=(*allowance, *result.state.to_list()),
        evidence=result.evidence[-1],
        top_feature=FEATURE,
    )


def _test_accuracy(
    cursor: Cursor, state: TaskState, version_id: str, references: References
) -> float | None:
    """Return the accuracy on test images, the lower one of both paths, None if it is unknown."""
    known = [
        references.get(cursor, track.reference_id).test_accuracy
        for key, track in state.tracks.items()
        if key[0] == version_id and track.reference_id is not None
    ]
    accuracies = [accuracy for accuracy in known if accuracy is not None]
    if accuracies:
        return min(accuracies)
    return next(version.test_accuracy for version in state.versions if version.id == version_id)
