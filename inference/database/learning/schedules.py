"""Queries of schedules: when a task is retrained, one row per task."""

import json
from dataclasses import dataclass
from typing import Any

from inference.database.learning.errors import UnknownScheduleError
from inference.database.pool import Database, Record, utc

COLUMNS = f"""
task, cron, experiment_name, params, enabled, changed_by, {utc("changed_at")} AS changed_at,
{utc("last_fired_at")} AS last_fired_at
"""
SELECT_ALL = f"SELECT {COLUMNS} FROM schedules ORDER BY task"
SELECT_ONE = f"SELECT {COLUMNS} FROM schedules WHERE task = %s"
UPSERT = f"""
INSERT INTO schedules (task, cron, experiment_name, params, enabled, changed_by, changed_at)
VALUES (%(task)s, %(cron)s, %(experiment_name)s, %(params)s, %(enabled)s, %(by)s, now())
ON CONFLICT (task) DO UPDATE SET cron = excluded.cron, experiment_name = excluded.experiment_name,
    params = excluded.params, enabled = excluded.enabled, changed_by = excluded.changed_by,
    changed_at = excluded.changed_at
RETURNING {COLUMNS}
"""
DELETE = "DELETE FROM schedules WHERE task = %s RETURNING task"


@dataclass(frozen=True)
class NewSchedule:
    """A schedule to store; `params` are those of its runs."""

    task: str
    cron: str
    experiment_name: str
    params: dict[str, Any]
    enabled: bool
    by: str


class Schedules:
    """Schedules in the database."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self) -> list[Record]:
        """Return all schedules by task. Raises DatabaseUnavailableError."""
        return self._database.query(SELECT_ALL)

    def one(self, task: str) -> Record:
        """Return a task's schedule. Raises UnknownScheduleError and DatabaseUnavailableError."""
        rows = self._database.query(SELECT_ONE, [task])
        if not rows:
            raise UnknownScheduleError
        return rows[0]

    def store(self, schedule: NewSchedule) -> Record:
        """Store a task's schedule in place of an earlier one. Raises DatabaseUnavailableError."""
        arguments = {**vars(schedule), "params": json.dumps(schedule.params)}
        return self._database.query(UPSERT, arguments)[0]

    def delete(self, task: str) -> None:
        """Delete a task's schedule. Raises UnknownScheduleError and DatabaseUnavailableError."""
        if not self._database.query(DELETE, [task]):
            raise UnknownScheduleError
