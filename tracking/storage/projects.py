"""Projects: groups of runs, which MLflow calls experiments."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import psycopg2.errors

from tracking import limits
from tracking.errors import InvalidError, NameTakenError, UnknownProjectError
from tracking.runs import MAX_TAGS, NOTHING, Condition, Order, Project, ProjectChange
from tracking.storage import search
from tracking.storage.database import Database

MAX_NAME = 500  # as MLflow
COLUMNS = "e.id, e.name, e.task, e.tags, e.created_at, e.changed_at, e.deleted_at"
INSERT = f"""
INSERT INTO projects AS e (name, task, tags)
VALUES (%(name)s, coalesce((SELECT task FROM tasks WHERE task = %(name)s), %(task)s), %(tags)s)
ON CONFLICT (name) DO NOTHING RETURNING {COLUMNS}
"""
BY_ID = f"SELECT {COLUMNS} FROM projects e WHERE id = %s"
BY_NAME = f"SELECT {COLUMNS} FROM projects e WHERE name = %s"
SEARCH = """
SELECT {columns} FROM projects e WHERE {deleted} AND {where}
ORDER BY {order} e.id DESC LIMIT %s OFFSET %s
"""
DELETED = {None: "true", True: "e.deleted_at IS NOT NULL", False: "e.deleted_at IS NULL"}
UPDATE = f"""
UPDATE projects e SET name = coalesce(%(name)s, name), tags = %(tags)s, changed_at = now(),
    deleted_at = CASE WHEN %(is_deleted)s IS NULL THEN deleted_at
                      WHEN %(is_deleted)s THEN coalesce(deleted_at, now()) END
WHERE id = %(id)s RETURNING {COLUMNS}
"""
TAKEN = "Another project has this name. Choose another name."


class Projects:
    """Projects of the database. Each method is one transaction. Thread-safe.

    Every method raises UnavailableError while Postgres does not answer.
    """

    def __init__(self, database: Database, default_task: str) -> None:
        """`default_task` is the task of a project whose name is not a task."""
        self._database, self._default_task = database, default_task

    def create(self, name: str, tags: Mapping[str, str] = NOTHING) -> Project:
        """Create a project. Raises NameTakenError, InvalidError."""
        project = self._insert(name, tags)
        if project is None:
            raise NameTakenError(TAKEN, "name")
        return project

    def get(self, project_id: int) -> Project:
        """Return a project, also a deleted one. Raises UnknownProjectError."""
        return self._one(BY_ID, project_id)

    def get_by_name(self, name: str) -> Project:
        """Return a project, also a deleted one. Raises UnknownProjectError."""
        return self._one(BY_NAME, name)

    def get_or_create(self, name: str) -> Project:
        """Return the project of this name, created if there is none. Raises InvalidError."""
        return self._insert(name, NOTHING) or self.get_by_name(name)

    def search(
        self,
        conditions: Sequence[Condition] = (),
        order_by: Sequence[Order] = (),
        limit: int = 1000,
        offset: int = 0,
        *,
        deleted: bool | None = False,
    ) -> list[Project]:
        """Return projects, the latest first. `deleted` None returns both kinds.

        Attributes are `id`, `name`, `created_at` and `changed_at`. Raises InvalidError.
        """
        if {"metric", "param"} & search.fields(conditions, order_by):
            raise InvalidError("Projects have attributes and tags only.")
        where, arguments = search.where(conditions, search.PROJECT_ATTRIBUTES)
        order, order_arguments = search.order(order_by, search.PROJECT_ATTRIBUTES)
        statement = SEARCH.format(
            columns=COLUMNS, deleted=DELETED[deleted], where=where, order=order
        )
        return self._query(statement, [*arguments, *order_arguments, limit, offset])

    def update(self, project_id: int, change: ProjectChange) -> Project:
        """Change a project and return it.

        Raises UnknownProjectError, NameTakenError, InvalidError.
        """
        if change.name is not None:
            _check_name(change.name)
        limits.check_tags(change.tags)
        with self._database.transaction() as cursor:
            cursor.execute(f"{BY_ID} FOR UPDATE", [project_id])
            row = cursor.fetchone()
            if row is None:
                raise UnknownProjectError
            merged = {**Project(*row).tags, **change.tags}
            kept = {key: value for key, value in merged.items() if value is not None}
            if len(kept) > MAX_TAGS:
                raise InvalidError(f"A project has at most {MAX_TAGS:,} tags.", "tags")
            arguments = {
                "id": project_id,
                "name": change.name,
                "tags": json.dumps(kept),
                "is_deleted": change.is_deleted,
            }
            try:
                cursor.execute(UPDATE, arguments)
            except psycopg2.errors.UniqueViolation as error:
                raise NameTakenError(TAKEN, "name") from error
            [changed] = cursor.fetchall()
        return Project(*changed)

    def _insert(self, name: str, tags: Mapping[str, str]) -> Project | None:
        """Create a project, or return None if its name is taken."""
        _check_name(name)
        limits.check_tags(tags)
        arguments = {"name": name, "task": self._default_task, "tags": json.dumps(dict(tags))}
        found = self._query(INSERT, arguments)
        return found[0] if found else None

    def _one(self, statement: str, key: object) -> Project:
        if isinstance(key, str):
            limits.check_text(key, limits.MAX_SEARCHED, "name")
        found = self._query(statement, [key])
        if not found:
            raise UnknownProjectError
        return found[0]

    def _query(self, statement: str, arguments: Any) -> list[Project]:
        with self._database.connection() as cursor:
            cursor.execute(statement, arguments)
            return [Project(*row) for row in cursor]


def _check_name(name: str) -> None:
    if not name.strip():
        raise InvalidError("The name of the project is empty.", "name")
    limits.check_text(name, MAX_NAME, "name")
