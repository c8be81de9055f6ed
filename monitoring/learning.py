"""Learning: makes references of what is sent, at first and when a person accepts it as normal."""

import logging
from collections.abc import Sequence
from dataclasses import replace

from psycopg2.extensions import cursor as Cursor  # noqa: N812

from monitoring.checks.alert_book import DRIFT, Alert
from monitoring.checks.batch import is_valid, make_batch
from monitoring.detector import LABELS, InvalidReferenceError, PathReference, load_basis
from monitoring.settings import Settings
from monitoring.storage import alerts, requests
from monitoring.storage.predictions import Eligible, by_number, read_details, read_eligible
from monitoring.storage.references import TRAFFIC, NewReference, add_reference
from monitoring.storage.requests import ReferenceRequest
from monitoring.task_state import Learning, TaskState, Track

MAX_LOOKED_AT = 20_000  # images whose pixels are kept
MIN_SHARE = 0.1  # of a version's images; a path with fewer keeps its reference

logger = logging.getLogger(__name__)


def begin_request(
    cursor: Cursor, state: TaskState, request: ReferenceRequest, settings: Settings
) -> TaskState:
    """Let the detectors learn what is sent, and close the drift alerts. Raises psycopg2.Error."""
    open_alerts = [
        alert
        for alert in alerts.load_open(cursor, state.task, state.position)
        if alert.kind == DRIFT
    ]
    start = _start(state, open_alerts)
    tracks = state.tracks
    counts = {
        key: len(_eligible(cursor, settings, track, start, state.position, MAX_LOOKED_AT))
        for key, track in tracks.items()
    }
    alerted = {(alert.version_id, alert.path) for alert in open_alerts}
    changed = {}
    for key, track in tracks.items():
        of_version = sum(count for other, count in counts.items() if other[0] == key[0])
        is_part = (
            key in alerted
            or track.learning is not None
            or counts[key] >= max(1, MIN_SHARE * of_version)
            or (track.version.is_champion and not of_version)
        )
        if is_part:
            learning = Learning(start, request.images, request.id)
            for monitor in track.monitors:
                changed[monitor.id] = replace(
                    monitor,
                    reference_id=None,
                    state=learning.numbers,
                    learnt=min(counts[key], request.images),
                    evidence=None,
                    top_feature=None,
                )
    reason = f"Accepted as normal by {request.requested_by}."
    alerts.close_drift(open_alerts, cursor, reason, request.requested_by)
    logger.info("Learning what is sent now", extra={"task": state.task, "request": request.id})
    return replace(
        state, monitors=tuple(changed.get(monitor.id, monitor) for monitor in state.monitors)
    )


def is_begun(state: TaskState, request: ReferenceRequest) -> bool:
    """Return whether a detector learns because of a request."""
    return any(
        track.learning is not None and track.learning.request == request.id
        for track in state.tracks.values()
    )


def finish_if_learnt(cursor: Cursor, state: TaskState, request: ReferenceRequest) -> None:
    """Mark a request as done when the champion has its references. Raises psycopg2.Error."""
    waiting = [
        track
        for track in state.tracks.values()
        if track.learning is not None and track.learning.request == request.id
    ]
    champion = state.champion
    if champion is not None:
        waiting = [track for track in waiting if track.version.id == champion.id]
    if not waiting:
        requests.finish(cursor, request)


def learn(
    cursor: Cursor,
    track: Track,
    until: int,
    settings: Settings,
    created_by: str,
) -> tuple[int | None, int]:
    """Make the reference of a track from its newest images up to a prediction.

    Return its id, None with too few images, and the number of images that are available. Raises
    psycopg2.Error.
    """
    learning = track.learning
    if learning is None:
        return None, 0
    version = track.version
    found = _eligible(cursor, settings, track, learning.start, until, MAX_LOOKED_AT)
    chosen = [row.id for row in found[: learning.target]]
    if len(chosen) < learning.target:
        return None, len(chosen)
    rows = read_details(cursor, chosen, [version.id]).values()
    valid = [row for row in by_number(rows) if is_valid(row, version.indices, needs_pixels=True)]
    batch = make_batch(valid, version.indices)
    try:
        reference = PathReference.fit(batch.observations, None, load_basis(version.task))
    except InvalidReferenceError as error:
        logger.warning("A reference cannot be learnt", extra={"problem": str(error)})
        return None, 0
    identifier = add_reference(
        cursor,
        NewReference(version.task, version.id, track.path, TRAFFIC, created_by, reference),
    )
    logger.info(
        "Reference learnt",
        extra={
            "task": version.task,
            "experiment": version.experiment_name,
            "version": version.version,
            "path": track.path,
            "images": reference.images,
        },
    )
    return identifier, len(chosen)


def _eligible(
    cursor: Cursor, settings: Settings, track: Track, after: int, until: int, limit: int
) -> list[Eligible]:
    return read_eligible(
        cursor, settings, track.version.id, track.path, after=after, until=until, limit=limit
    )


def _start(state: TaskState, open_alerts: Sequence[Alert]) -> int:
    """Return the prediction behind which images count: the onset of the first open alert.

    A request that replaces another one goes on from its start.
    """
    onsets = [alert.onset.number for alert in open_alerts if alert.family != LABELS]
    learnings = [track.learning for track in state.tracks.values()]
    starts = [learning.start for learning in learnings if learning and learning.request]
    return min([*onsets, *starts], default=0)
