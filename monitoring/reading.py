"""Reading: the next predictions of a task that the detectors examine."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from psycopg2.extensions import cursor as Cursor  # noqa: N812

from monitoring.checks.batch import Prediction, is_valid
from monitoring.checks.thinning import Allowance, thin
from monitoring.settings import Settings
from monitoring.storage.predictions import (
    NewPrediction,
    count_skipped,
    count_waiting,
    last_number,
    read_details,
    read_new,
)
from monitoring.task_state import TaskState, TrackKey

MAX_ROWS = 1024  # of one check; more would not be examined in one block
MAX_BEHIND = 10_000  # predictions of a version


@dataclass(frozen=True)
class Reading:
    """Predictions up to the number `position`.

    Attributes:
        accepted: predictions to examine in the order of their numbers, by version and path.
        skipped: number of images that are not examined because there are too many.
        allowances: numbers of each version's allowance afterwards.
        examined: number of different images to examine.
        warned: number of different images with a warning, which are not examined.
        is_behind: whether more predictions may wait.

    """

    position: int
    accepted: dict[TrackKey, list[Prediction]] = field(default_factory=dict)
    skipped: dict[TrackKey, int] = field(default_factory=dict)
    allowances: dict[str, list[float]] = field(default_factory=dict)
    examined: int = 0
    warned: int = 0
    is_behind: bool = False


def read(cursor: Cursor, settings: Settings, state: TaskState) -> Reading:
    """Return the next predictions of a task. Raises psycopg2.Error."""
    rows = read_new(cursor, state.version_ids, state.position, MAX_ROWS)
    if not rows:
        return Reading(state.position)
    if len(rows) == MAX_ROWS and (skipped := _skip(cursor, state)) is not None:
        return skipped
    kept = _thin(rows, settings, state)[1]
    champion = [version.id for version in state.versions if version.is_champion]
    details = read_details(cursor, [row.id for row in kept], champion)
    accepted = _accept(kept, details, settings, state)
    end = _end_of_learning(accepted, state)
    if end is not None:  # a reference begins with the image behind its own
        rows = [row for row in rows if row.number <= end]
        accepted = {
            key: [row for row in predictions if row.number <= end]
            for key, predictions in accepted.items()
        }
    allowances, kept = _thin(rows, settings, state)
    numbers = {row.number for row in kept}
    left_out = Counter(
        (row.version_id, row.path)
        for row in rows
        if row.number not in numbers and not row.is_warned
    )
    return Reading(
        position=rows[-1].number,
        accepted={key: predictions for key, predictions in accepted.items() if predictions},
        skipped={key: count for key, count in left_out.items() if key in state.tracks},
        allowances=allowances,
        examined=len({row.image for predictions in accepted.values() for row in predictions}),
        warned=len({row.image for row in rows if row.is_warned}),
        is_behind=end is not None or len(rows) == MAX_ROWS,
    )


def _skip(cursor: Cursor, state: TaskState) -> Reading | None:
    """Return a reading that skips to the newest prediction, None if few enough wait."""
    waiting = count_waiting(cursor, state.version_ids, state.position, MAX_BEHIND + 1)
    if max(waiting.values(), default=0) <= MAX_BEHIND:
        return None
    last = last_number(cursor, state.version_ids)
    counts = count_skipped(cursor, state.version_ids, state.position, last)
    return Reading(
        position=last,
        skipped={key: count for key, count in counts.items() if key in state.tracks},
    )


def _thin(
    rows: Sequence[NewPrediction], settings: Settings, state: TaskState
) -> tuple[dict[str, list[float]], list[NewPrediction]]:
    """Return the allowance of each version after some predictions, and those that are kept."""
    kept: list[NewPrediction] = []
    allowances = {}
    rate = settings.images_per_second
    for version, monitor in state.accuracy_monitors.items():
        own = [row for row in rows if row.version_id == version and not row.is_warned]
        before = Allowance.from_list(monitor.state[:2], rate)
        after, is_kept = thin(before, [(row.image, row.at) for row in own], rate)
        kept += [row for row, keeps in zip(own, is_kept, strict=True) if keeps]
        if own:
            allowances[version] = after.to_list()
    return allowances, sorted(kept, key=lambda row: row.number)


def _accept(
    kept: Sequence[NewPrediction],
    details: dict[int, Prediction],
    settings: Settings,
    state: TaskState,
) -> dict[TrackKey, list[Prediction]]:
    """Return the predictions to examine, without those of ignored programs, by track."""
    accepted: dict[TrackKey, list[Prediction]] = {key: [] for key in state.tracks}
    versions = {version.id: version for version in state.versions}
    indices = {version.id: version.indices for version in state.versions}
    for row in kept:
        prediction = details.get(row.number)
        key = (row.version_id, row.path)
        if prediction is None or settings.ignores(prediction.source, row.path):
            continue
        needs_pixels = versions[row.version_id].is_champion
        if key in accepted and is_valid(
            prediction, indices[row.version_id], needs_pixels=needs_pixels
        ):
            accepted[key].append(prediction)
    return accepted


def _end_of_learning(accepted: dict[TrackKey, list[Prediction]], state: TaskState) -> int | None:
    """Return the number of the first prediction that completes a reference, None if none does."""
    ends = []
    for key, track in state.tracks.items():
        learning, rows = track.learning, accepted.get(key, [])
        if learning is not None and rows and track.learnt + len(rows) >= learning.target:
            missing = max(1, learning.target - track.learnt)
            ends.append(rows[missing - 1].number)
    return min(ends, default=None)
