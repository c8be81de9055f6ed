"""Reads of predictions, in the order in which they were stored."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from psycopg2.extensions import cursor as Cursor  # noqa: N812

from monitoring.checks.batch import Prediction
from monitoring.detector import AS_SENT, FRAMED
from monitoring.settings import Settings

# The event that created the prediction has its time, so one partition is read.
SOURCE = """
(SELECT e.source FROM prediction_events e
 WHERE e.prediction_id = p.id AND e.at = p.created_at LIMIT 1)
"""
NEW = """
SELECT p.number, p.id::text, p.model_version_id::text, replace(p.image_id::text, '-', ''),
       (extract(epoch FROM p.created_at) * 1000000)::bigint,
       i.width = 28 AND i.height = 28, i.warnings <> '{}'
FROM unnest(%(versions)s::uuid[]) AS v (id) CROSS JOIN LATERAL (
    SELECT q.number, q.id, q.model_version_id, q.image_id, q.created_at FROM predictions q
    WHERE q.model_version_id = v.id AND q.number > %(cursor)s ORDER BY q.number LIMIT %(limit)s
) AS p JOIN images i ON i.id = p.image_id ORDER BY p.number LIMIT %(limit)s
"""
DETAILS = f"""
SELECT p.number, replace(p.image_id::text, '-', ''),
       (extract(epoch FROM p.created_at) * 1000000)::bigint, p.label, p.probabilities,
       x.pixels, {SOURCE}
FROM unnest(%(ids)s::uuid[]) AS k (id) JOIN predictions p ON p.id = k.id
LEFT JOIN image_pixels x ON x.image_id = p.image_id
     AND p.model_version_id = ANY (%(with_pixels)s::uuid[])
"""
WAITING = """
SELECT v.id::text, (SELECT count(*) FROM (
    SELECT FROM predictions p WHERE p.model_version_id = v.id AND p.number > %(cursor)s
    LIMIT %(limit)s) AS first)
FROM unnest(%(versions)s::uuid[]) AS v (id)
"""
LAST = """
SELECT coalesce(max(n.number), 0) FROM unnest(%s::uuid[]) AS v (id) CROSS JOIN LATERAL (
    SELECT max(p.number) AS number FROM predictions p WHERE p.model_version_id = v.id) AS n
"""
SKIPPED = """
SELECT p.model_version_id::text, i.width = 28 AND i.height = 28, count(*)
FROM predictions p JOIN images i ON i.id = p.image_id
WHERE p.model_version_id = ANY (%(versions)s::uuid[])
  AND p.number > %(cursor)s AND p.number <= %(last)s GROUP BY 1, 2
"""
# Images without pixels were stored before the monitor existed.
FIRST = """
SELECT min(p.number) - 1 FROM image_pixels x JOIN predictions p ON p.image_id = x.image_id
WHERE p.task = %s
"""
ELIGIBLE = f"""
SELECT p.number, p.id::text, {SOURCE}
FROM predictions p JOIN images i ON i.id = p.image_id JOIN image_pixels x ON x.image_id = i.id
WHERE p.model_version_id = %(version)s::uuid AND p.number > %(after)s AND p.number <= %(until)s
  AND (i.width = 28 AND i.height = 28) = %(as_sent)s AND i.warnings = '{{}}'
ORDER BY p.number DESC LIMIT %(limit)s
"""


class NewPrediction(NamedTuple):
    """Prediction that the monitor has not read yet."""

    number: int
    id: str
    version_id: str
    image: str  # digest: its first 32 hexadecimal digits
    at: int  # Unix time, us
    path: str
    is_warned: bool


class Eligible(NamedTuple):
    """Prediction that a reference may be learnt from."""

    number: int
    id: str
    source: str | None


def read_new(
    cursor: Cursor, versions: Sequence[str], after: int, limit: int
) -> list[NewPrediction]:
    """Return the next predictions of some versions by number. Raises psycopg2.Error."""
    cursor.execute(NEW, {"versions": list(versions), "cursor": after, "limit": limit})
    return [
        NewPrediction(number, identifier, version, image, at, _path(is_as_sent), is_warned)
        for number, identifier, version, image, at, is_as_sent, is_warned in cursor.fetchall()
    ]


def read_details(
    cursor: Cursor, ids: Sequence[str], with_pixels: Sequence[str]
) -> dict[int, Prediction]:
    """Return predictions by number, with pixels for some versions. Raises psycopg2.Error."""
    if not ids:
        return {}
    cursor.execute(DETAILS, {"ids": list(ids), "with_pixels": list(with_pixels)})
    return {row[0]: _prediction(row) for row in cursor.fetchall()}


def count_waiting(
    cursor: Cursor, versions: Sequence[str], after: int, limit: int
) -> dict[str, int]:
    """Return how many predictions of each version wait, at most `limit`. Raises psycopg2.Error."""
    cursor.execute(WAITING, {"versions": list(versions), "cursor": after, "limit": limit})
    return dict(cursor.fetchall())


def last_number(cursor: Cursor, versions: Sequence[str]) -> int:
    """Return the highest number of some versions' predictions, or 0. Raises psycopg2.Error."""
    cursor.execute(LAST, [list(versions)])
    [(number,)] = cursor.fetchall()
    return int(number)


def count_skipped(
    cursor: Cursor, versions: Sequence[str], after: int, last: int
) -> dict[tuple[str, str], int]:
    """Return the number of predictions by version and path. Raises psycopg2.Error."""
    cursor.execute(SKIPPED, {"versions": list(versions), "cursor": after, "last": last})
    return {(version, _path(is_as_sent)): count for version, is_as_sent, count in cursor.fetchall()}


def first_cursor(cursor: Cursor, task: str) -> int:
    """Return the cursor before the first prediction with pixels. Raises psycopg2.Error."""
    cursor.execute(FIRST, [task])
    [(number,)] = cursor.fetchall()
    return int(number or 0)


def read_eligible(
    cursor: Cursor,
    settings: Settings,
    version: str,
    path: str,
    *,
    after: int,
    until: int,
    limit: int,
) -> list[Eligible]:
    """Return the newest predictions of a path that the monitor does not ignore, newest first.

    Only `limit` predictions are looked at. Raises psycopg2.Error.
    """
    arguments = {
        "version": version,
        "after": after,
        "until": until,
        "as_sent": path == AS_SENT,
        "limit": limit,
    }
    cursor.execute(ELIGIBLE, arguments)
    found = (Eligible(*row) for row in cursor.fetchall())
    return [row for row in found if not settings.ignores(row.source, path)]


def by_number(predictions: Iterable[Prediction]) -> list[Prediction]:
    """Return predictions in the order of their numbers."""
    return sorted(predictions, key=lambda prediction: prediction.number)


def _path(is_as_sent: bool) -> str:  # noqa: FBT001  # a column
    return AS_SENT if is_as_sent else FRAMED


def _prediction(row: tuple[Any, ...]) -> Prediction:
    number, image, at, label, probabilities, pixels, source = row
    return Prediction(
        number,
        image,
        at,
        label,
        probabilities,
        None if pixels is None else bytes(pixels),
        source,
    )
