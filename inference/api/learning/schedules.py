"""/schedules: when a task is retrained."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

from inference.api import validation
from inference.api.learning import cron, fields
from inference.api.validation import MAX_PERSON
from inference.database.learning.datasets import Datasets
from inference.database.learning.errors import UnknownDatasetError
from inference.database.learning.schedules import NewSchedule, Schedules
from inference.errors import Document


class SchedulesApi:
    """The operations of the resource /schedules."""

    def __init__(
        self,
        schedules: Schedules,
        datasets: Datasets,
        experiment_tasks: Callable[[], dict[str, str]],
    ) -> None:
        """`experiment_tasks` returns the task of each experiment in the database."""
        self._schedules = schedules
        self._datasets = datasets
        self._experiment_tasks = experiment_tasks

    def list_schedules(self) -> Document:
        """Return the schedule of each task that has one."""
        return {"schedules": [_with_next(row) for row in self._schedules.all()]}

    def get_schedule(self, task: str) -> Document:
        """Return a task's schedule."""
        return _with_next(self._schedules.one(fields.task(task)))

    def put_schedule(self, task: str, document: Any) -> Document:
        """Store a task's schedule in place of an earlier one."""
        known = ("cron", "experiment_name", *fields.PARAMETERS, "enabled", "by")
        fields.only(document, known)
        task = fields.task(task)
        expression = " ".join(validation.text(document, "cron", cron.MAX_LENGTH).split())
        cron.parse(expression)
        name = validation.name(validation.text(document, "experiment_name", 128))
        parameters = fields.run_parameters(document)
        enabled = fields.flag(document, "enabled", default=True)
        by = validation.text(document, "by", MAX_PERSON)
        fields.known_experiment(name, task, self._experiment_tasks())
        digest = parameters["dataset"]
        if digest != fields.LATEST and not self._datasets.exists(task, digest):
            raise UnknownDatasetError(path="dataset")
        schedule = NewSchedule(task, expression, name, parameters, enabled, by)
        return _with_next(self._schedules.store(schedule))

    def delete_schedule(self, task: str) -> Document:
        """Delete a task's schedule."""
        self._schedules.delete(fields.task(task))
        return {"task": task, "deleted": True}


def _with_next(row: dict[str, Any]) -> Document:
    """Return a schedule with the next time at which it starts a run, None if it is disabled."""
    following = cron.parse(row["cron"]).next(datetime.now(UTC)) if row["enabled"] else None
    return {**row, "next_at": None if following is None else f"{following:%Y-%m-%dT%H:%M:%SZ}"}
