"""Evidence: the images since the onset of an alert, their programs and the most telling ones."""

from collections import Counter

import numpy as np
from psycopg2.extensions import cursor as Cursor  # noqa: N812

from monitoring.checks.alert_book import MAX_EXAMPLES, Alert, Details
from monitoring.checks.batch import Batch, Prediction, is_valid, make_batch
from monitoring.checks.track import Finding
from monitoring.detector import PathReference, State, update
from monitoring.settings import Settings
from monitoring.storage.predictions import by_number, read_details, read_eligible
from monitoring.task_state import Track

MAX_IMAGES = 500
MAX_SOURCES = 10
UNKNOWN = "unknown"


def describe(
    cursor: Cursor, settings: Settings, track: Track, reference: PathReference, finding: Finding
) -> Details:
    """Return the programs that sent the images since the onset, and up to eight images.

    Raises psycopg2.Error.
    """
    rows = _rows(cursor, settings, track, finding.onset.number, finding.number)
    if not rows:
        return Details({}, [])
    programs = Counter(row.source or UNKNOWN for row in rows).most_common(MAX_SOURCES)
    sources = {program: round(count / len(rows), 4) for program, count in programs}
    batch = make_batch(rows, track.version.indices)
    scores = [_evidence(reference, finding.family, batch, at) for at in range(len(batch))]
    order = sorted(range(len(rows)), key=lambda at: (-scores[at], -rows[at].number))
    return Details(sources, [_uuid(rows[at].image) for at in order[:MAX_EXAMPLES]])


def novel_images(
    cursor: Cursor,
    settings: Settings,
    track: Track,
    reference: PathReference,
    alert: Alert,
    until: int,
) -> list[str]:
    """Return the images since the onset of an alert, least like the reference first.

    Raises psycopg2.Error.
    """
    rows = _rows(cursor, settings, track, alert.onset.number, until)
    if not rows:
        return []
    observations = make_batch(rows, track.version.indices).observations
    novelty = reference.novelty_model.novelty(
        reference.input_values(observations), observations.classes
    )
    order = np.argsort(-novelty, kind="stable")
    return [_uuid(rows[int(at)].image) for at in order]


def _rows(
    cursor: Cursor, settings: Settings, track: Track, after: int, until: int
) -> list[Prediction]:
    version = track.version
    found = read_eligible(
        cursor, settings, version.id, track.path, after=after, until=until, limit=MAX_IMAGES
    )
    details = read_details(cursor, [row.id for row in found], [version.id]).values()
    return [row for row in by_number(details) if is_valid(row, version.indices, needs_pixels=True)]


def _evidence(reference: PathReference, family: str, batch: Batch, at: int) -> float:
    """Return the evidence of one image alone."""
    alone = batch.observations[at : at + 1]
    start = State.start(reference, family)
    return update(reference, family, alone, start, float("inf")).highest


def _uuid(digest: str) -> str:
    return "-".join((digest[:8], digest[8:12], digest[12:16], digest[16:20], digest[20:32]))
