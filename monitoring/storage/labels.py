"""Reads of labels that were asked for at random: the only ones that estimate the accuracy."""

from collections.abc import Mapping
from typing import NamedTuple

from psycopg2.extensions import cursor as Cursor  # noqa: N812

NEW = """
SELECT l.id, p.model_version_id::text, p.label <> l.label
FROM labels l JOIN predictions p ON p.image_id = l.image_id AND p.task = l.task
WHERE l.task = %(task)s AND l.source = 'random' AND l.replaced_at IS NULL
  AND l.id > %(after)s AND l.id <= %(last)s
  AND p.model_version_id = ANY (%(versions)s::uuid[])
ORDER BY l.id, p.model_version_id LIMIT %(limit)s
"""
LAST = "SELECT coalesce(max(id), 0) FROM labels"
LIMIT = 10_000


class RandomLabel(NamedTuple):
    """Label of an image that a version predicted."""

    id: int
    version_id: str
    is_wrong: bool


def read_random_labels(
    cursor: Cursor, task: str, cursors: Mapping[str, int]
) -> tuple[dict[str, list[RandomLabel]], dict[str, int]]:
    """Return the next labels by version, and the new cursors. `cursors` are by version.

    Raises psycopg2.Error.
    """
    found: dict[str, list[RandomLabel]] = {version: [] for version in cursors}
    if not cursors:
        return found, {}
    after, last = min(cursors.values()), _last(cursor)
    if last <= after:
        return found, dict(cursors)
    arguments = {
        "task": task,
        "after": after,
        "last": last,
        "versions": list(cursors),
        "limit": LIMIT,
    }
    cursor.execute(NEW, arguments)
    labels = [RandomLabel(*row) for row in cursor.fetchall()]
    end = last if len(labels) < LIMIT else labels[-1].id - 1
    for label in labels:
        if cursors[label.version_id] < label.id <= end:
            found[label.version_id].append(label)
    return found, {version: max(before, end) for version, before in cursors.items()}


def _last(cursor: Cursor) -> int:
    cursor.execute(LAST)
    [(last,)] = cursor.fetchall()
    return int(last)
