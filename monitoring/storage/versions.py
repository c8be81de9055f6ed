"""Watched versions: champion and other aliases of each task, and the versions with most traffic."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from psycopg2.extensions import cursor as Cursor  # noqa: N812

MAX_VERSIONS = 8
CHAMPION = "champion"
POINTED = """
SELECT m.task, m.id::text, m.experiment_name, m.version, m.digest, m.classes, m.test_accuracy,
       a.alias = 'champion'
FROM aliases a CROSS JOIN LATERAL (
    SELECT * FROM model_versions m
    WHERE m.task = a.task AND m.experiment_name = a.experiment_name AND m.version = a.version
      AND m.status IN ('READY', 'LOADING')
    ORDER BY m.digest IS NOT DISTINCT FROM a.model_digest DESC, m.status = 'READY' DESC,
             m.first_seen_at DESC LIMIT 1
) m ORDER BY m.task, a.alias <> 'champion', a.alias
"""
BUSY = """
SELECT m.task, m.id::text, m.experiment_name, m.version, m.digest, m.classes, m.test_accuracy, false
FROM (SELECT model_version_id, sum(events) AS events FROM traffic
      WHERE minute > now() - interval '1 day' GROUP BY 1) t
JOIN model_versions m ON m.id = t.model_version_id
WHERE m.status IN ('READY', 'LOADING') ORDER BY m.task, t.events DESC, m.id
"""


@dataclass(frozen=True)
class Version:
    """Model version that is watched. `classes` are the labels in the order of its output."""

    task: str
    id: str
    experiment_name: str
    version: int
    digest: str | None
    classes: tuple[str, ...]
    test_accuracy: float | None
    is_champion: bool

    @property
    def indices(self) -> dict[str, int]:
        """The index of each label."""
        return {label: index for index, label in enumerate(self.classes)}


def watched_versions(cursor: Cursor) -> dict[str, list[Version]]:
    """Return at most 8 versions of each task, the champion first. Raises psycopg2.Error."""
    cursor.execute(POINTED)
    rows = cursor.fetchall()
    cursor.execute(BUSY)
    return choose(map(_version, [*rows, *cursor.fetchall()]))


def choose(candidates: Iterable[Version]) -> dict[str, list[Version]]:
    """Return the first 8 different candidates of each task."""
    chosen: dict[str, dict[str, Version]] = {}
    for version in candidates:
        of_task = chosen.setdefault(version.task, {})
        if version.id not in of_task and len(of_task) < MAX_VERSIONS:
            of_task[version.id] = version
    return {task: list(versions.values()) for task, versions in chosen.items()}


def _version(row: tuple[Any, ...]) -> Version:
    task, identifier, experiment, number, digest, classes, accuracy, is_champion = row
    return Version(
        task, identifier, experiment, number, digest, tuple(classes), accuracy, is_champion
    )
