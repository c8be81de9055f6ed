"""Logged models: models that MLflow clients announce. Their files are not stored."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from tracking.errors import UnknownArtifactError, UnknownRunError
from tracking.runs import DEFAULT_PROJECT
from tracking.storage.database import Database

COLUMNS = """
m.id, e.run_id, coalesce(e.project_id, %(default)s), m.name, m.status, m.params, m.tags,
m.created_at, m.changed_at
"""
INSERT = """
INSERT INTO logged_models (id, experiment_id, name, status, params, tags)
SELECT %(id)s, id, %(name)s, %(status)s, %(params)s, %(tags)s
FROM experiments WHERE run_id = %(run_id)s
ON CONFLICT (id) DO NOTHING
"""
SELECT = f"""
SELECT {COLUMNS} FROM logged_models m JOIN experiments e ON e.id = m.experiment_id
"""
FILTERS = {"name": "m.name", "source_run_id": "e.run_id", "status": "m.status"}
UPDATE = """
UPDATE logged_models SET
    status = coalesce(%(status)s, status), params = params || %(params)s, tags = tags || %(tags)s,
    changed_at = now()
WHERE id = %(id)s
"""


@dataclass(frozen=True)
class LoggedModel:
    """A model that a run announced."""

    id: str
    run_id: str
    project_id: int
    name: str
    status: str
    params: Mapping[str, str]
    tags: Mapping[str, str]
    created_at: datetime
    changed_at: datetime


class LoggedModels:
    """Logged models of the database. Each method is one transaction. Thread-safe.

    Every method raises UnavailableError while Postgres does not answer.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(
        self,
        model_id: str,
        run_id: str,
        name: str,
        status: str,
        params: Mapping[str, str],
        tags: Mapping[str, str],
    ) -> LoggedModel:
        """Store a model and return it. Raises UnknownRunError."""
        arguments = {
            "id": model_id,
            "run_id": run_id,
            "name": name,
            "status": status,
            "params": _json(params),
            "tags": _json(tags),
        }
        with self._database.transaction() as cursor:
            cursor.execute(INSERT, arguments)
            found = _select(cursor, "m.id = %(id)s", {"id": model_id})
        if not found:
            raise UnknownRunError
        return found[0]

    def get(self, model_id: str) -> LoggedModel:
        """Return a model. Raises UnknownArtifactError."""
        with self._database.transaction() as cursor:
            found = _select(cursor, "m.id = %(id)s", {"id": model_id})
        if not found:
            raise UnknownArtifactError("No logged model has this id. Search for logged models.")
        return found[0]

    def search(
        self, project_ids: Sequence[int], wanted: Mapping[str, str], limit: int, offset: int
    ) -> list[LoggedModel]:
        """Return models of projects, the latest first. `wanted` has values of FILTERS."""
        conditions = "".join(f" AND {FILTERS[name]} = %({name})s" for name in wanted)
        condition = f"""coalesce(e.project_id, %(default)s) = ANY (%(projects)s) {conditions}
            ORDER BY m.created_at DESC, m.id LIMIT %(limit)s OFFSET %(offset)s"""
        arguments = {**wanted, "projects": list(project_ids), "limit": limit, "offset": offset}
        with self._database.transaction() as cursor:
            return _select(cursor, condition, arguments)

    def update(
        self,
        model_id: str,
        status: str | None = None,
        params: Mapping[str, str] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> LoggedModel:
        """Change a model and return it. Raises UnknownArtifactError."""
        arguments = {
            "id": model_id,
            "status": status,
            "params": _json(params or {}),
            "tags": _json(tags or {}),
        }
        with self._database.transaction() as cursor:
            cursor.execute(UPDATE, arguments)
        return self.get(model_id)


def _select(cursor: Any, condition: str, arguments: Mapping[str, Any]) -> list[LoggedModel]:
    cursor.execute(f"{SELECT} WHERE {condition}", {"default": DEFAULT_PROJECT, **arguments})
    return [LoggedModel(*row) for row in cursor.fetchall()]


def _json(values: Mapping[str, str]) -> str:
    return orjson.dumps(dict(values)).decode()
