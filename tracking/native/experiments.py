"""Experiments: POST and PATCH of runs, and PATCH of rows of CSV files."""

from datetime import UTC, datetime
from typing import Any

from starlette.responses import Response

from tracking.errors import InvalidError
from tracking.limits import check_name
from tracking.native.fields import body, no_query
from tracking.routing import Call, json_response
from tracking.runs import DEFAULT_PROJECT, NewRun, Run, RunChange
from tracking.storage.projects import Projects
from tracking.storage.runs import Runs

NEW = frozenset(
    {"name", "run_id", "task", "project", "params", "tags", "note", "owner", "started_at"}
)
CHANGE = frozenset(
    {"state", "ended_at", "name", "owner", "note", "note_revision", "tags", "archived", "author"}
)
ANONYMOUS = "anonymous"


class ExperimentsApi:
    """Operations that write /experiments."""

    def __init__(self, runs: Runs, projects: Projects) -> None:
        self._runs, self._projects = runs, projects

    def create(self, call: Call) -> Response:
        """Create a run: 201, or 200 if its run id exists. Raises TrackingError."""
        no_query(call)
        fields = body(call, NEW, frozenset({"name"}))
        name, project = fields.required_text("name"), fields.text("project")
        check_name(name)  # before a project is created for it
        created = self._runs.create(
            NewRun(
                name,
                "api",
                run_id=fields.text("run_id"),
                project_id=(
                    DEFAULT_PROJECT if project is None else self._projects.get_or_create(project).id
                ),
                task=fields.text("task"),
                owner=fields.text("owner"),
                note=fields.text("note") or "",
                started_at=fields.time("started_at"),
                params=fields.params("params"),
                tags=fields.tags("tags"),
            )
        )
        return json_response(document(created.run), 201 if created.is_new else 200)

    def change(self, call: Call) -> Response:
        """Change an experiment and return it. Raises TrackingError."""
        no_query(call)
        fields = body(call, CHANGE)
        note, revision = fields.text("note"), fields.integer("note_revision")
        if note is None and revision is not None:
            raise InvalidError("note_revision belongs to a note. Send both.", "note_revision")
        change = RunChange(
            state=fields.state("state"),
            ended_at=fields.time("ended_at"),
            name=fields.text("name"),
            owner=fields.text("owner"),
            note=note,
            note_revision=revision,
            tags=fields.tag_changes("tags"),
            is_archived=fields.boolean("archived"),
            author=fields.text("author") or ANONYMOUS,
        )
        return json_response(
            document(self._runs.update(self._runs.find(call.path["name"]), change))
        )


def document(run: Run) -> dict[str, Any]:
    """Return a run as the API shows it after a write."""
    return {
        "name": run.name,
        "run_id": run.run_id,
        "task": run.task,
        "source": run.source,
        "state": run.state,
        "project": run.project,
        "learning_rate": run.learning_rate,
        "momentum": run.momentum,
        "owner": run.owner,
        "note": run.note,
        "note_revision": run.note_revision,
        "note_author": run.note_author,
        "tags": run.tags,
        "tags_author": run.tags_author,
        "started_at": timestamp(run.started_at),
        "ended_at": timestamp(run.ended_at),
        "silent_since": timestamp(run.silent_since),
        "archived_at": timestamp(run.archived_at),
    }


def timestamp(time: datetime | None) -> str | None:
    """Return a time as RFC 3339 in UTC, with microseconds."""
    if time is None:
        return None
    # strftime writes years before 1000 with three digits
    return f"{time.astimezone(UTC).replace(tzinfo=None).isoformat(timespec='microseconds')}Z"
