"""Runs of MLflow: runs/create, get, update, search, delete, restore, and what they log."""

from collections.abc import Mapping
from typing import Any, Final

from starlette.responses import Response

from tracking.errors import InvalidError, NameTakenError
from tracking.mlflow import documents
from tracking.mlflow.entries import Tags, read_batch, read_params, read_point, read_tags
from tracking.mlflow.fields import Fields, project_id
from tracking.mlflow.filters import parse_filter, parse_orders
from tracking.mlflow.paging import read_page
from tracking.mlflow.run_names import creation_key, run_name
from tracking.names import valid_name, with_suffix
from tracking.routing import Call, json_response
from tracking.runs import DEFAULT_PROJECT, Entries, NewRun, Run, RunChange, State
from tracking.storage.runs import Archived
from tracking.storage.stores import Stores

STATES: Final[Mapping[str, State]] = {
    **{status: state for state, status in documents.STATUSES.items()},
    "SCHEDULED": "running",
}
VIEWS: Final[Mapping[str, Archived]] = {
    "ACTIVE_ONLY": "active",
    "DELETED_ONLY": "archived",
    "ALL": "all",
}
MAX_RUNS: Final = 50_000  # of one page of a search, as in MLflow
DEFAULT_RUNS: Final = 1_000
MAX_POINTS: Final = 25_000  # of one page of a history
MAX_SUFFIX: Final = 1_000


class RunsApi:
    """Handlers of runs and metrics. Every method raises TrackingError."""

    def __init__(self, stores: Stores) -> None:
        self._stores, self._runs = stores, stores.runs

    def create(self, call: Call) -> Response:
        """Create a run. A repeated request returns the same run."""
        fields = Fields(call.json())
        project = self._stores.projects.get(
            project_id(fields.text("experiment_id") or str(DEFAULT_PROJECT))
        )
        if project.deleted_at is not None:
            raise InvalidError(
                f"The experiment {project.name} is deleted. Restore it, or use another one."
            )
        tags = read_tags(fields.objects("tags"))
        started_at = fields.time("start_time")
        user = fields.text("user_id") or tags.user
        given = fields.text("run_name") or tags.name
        key = creation_key(project.id, user, given, fields.integer("start_time"), tags.stored)
        created = self._runs.create(
            NewRun(
                name=run_name(given, project.name, started_at),
                source="mlflow",
                creation_key=key,
                project_id=project.id,
                owner=user,
                note=tags.note or "",
                started_at=started_at,
                tags=tags.stored,
            )
        )
        return json_response({"run": documents.run_document(created.run)})

    def get(self, call: Call) -> Response:
        """Return a run."""
        run = self._runs.get(_run_id(Fields(call.query)))
        return json_response({"run": documents.run_document(run)})

    def update(self, call: Call) -> Response:
        """Change state, end or name of a run."""
        fields = Fields(call.json())
        status = fields.text("status")
        if status is not None and status not in STATES:
            raise InvalidError(f"The status {status} is unknown. Send one of {', '.join(STATES)}.")
        run_id = _run_id(fields)
        change = RunChange(
            state=STATES[status] if status else None, ended_at=fields.time("end_time")
        )
        run = self._runs.update(run_id, change)
        name = fields.text("run_name")
        if name:
            run = self._rename(run, name)
        return json_response({"run_info": documents.run_info(run)})

    def log_metric(self, call: Call) -> Response:
        """Store one point."""
        fields = Fields(call.json())
        self._runs.log(_run_id(fields), Entries([read_point(fields)]))
        return json_response({})

    def log_parameter(self, call: Call) -> Response:
        """Store one parameter."""
        fields = Fields(call.json())
        self._runs.log(_run_id(fields), Entries(params=read_params([fields])))
        return json_response({})

    def set_tag(self, call: Call) -> Response:
        """Store one tag."""
        fields = Fields(call.json())
        tags = read_tags([fields])
        self._log(_run_id(fields), Entries(tags=tags.stored), tags)
        return json_response({})

    def delete_tag(self, call: Call) -> Response:
        """Remove one tag. A tag that the run does not have is removed already."""
        fields = Fields(call.json())
        key = fields.required_text("key")
        if key == documents.NOTE_TAG:
            self._runs.update(_run_id(fields), RunChange(note=""))
        else:
            self._runs.update(_run_id(fields), RunChange(tags={key: None}))
        return json_response({})

    def log_batch(self, call: Call) -> Response:
        """Store points, parameters and tags together."""
        fields = Fields(call.json())
        entries, tags = read_batch(fields)
        self._log(_run_id(fields), entries, tags)
        return json_response({})

    def accept(self, call: Call) -> Response:
        """Take what is not stored: datasets, and links to models. The run must exist."""
        self._runs.get(_run_id(Fields(call.json())))
        return json_response({})

    def delete(self, call: Call) -> Response:
        """Archive a run. Nothing is deleted."""
        return self._archive(call, is_archived=True)

    def restore(self, call: Call) -> Response:
        """Restore an archived run."""
        return self._archive(call, is_archived=False)

    def search(self, call: Call) -> Response:
        """Return a page of the runs that match a filter."""
        fields = Fields(call.json())
        page = read_page(fields, DEFAULT_RUNS, MAX_RUNS)
        view = fields.text("run_view_type") or "ACTIVE_ONLY"
        if view not in VIEWS:
            raise InvalidError(f"run_view_type {view} is unknown. Send one of {', '.join(VIEWS)}.")
        found = self._runs.search(
            [project_id(text) for text in fields.texts("experiment_ids")],
            parse_filter(fields.text("filter") or ""),
            parse_orders(fields.texts("order_by")),
            page.limit,
            page.offset,
            VIEWS[view],
        )
        runs, token = page.cut(found)
        return json_response(_page("runs", [documents.run_document(run) for run in runs], token))

    def history(self, call: Call) -> Response:
        """Return the points of a metric, all of them without max_results."""
        fields = Fields(call.query)
        run_id, metric = _run_id(fields), fields.required_text("metric_key")
        token = None
        if fields.text("max_results", "page_token"):
            page = read_page(fields, MAX_POINTS, MAX_POINTS)
            points, token = page.cut(self._runs.points(run_id, metric, page.limit, page.offset))
        else:
            points = self._runs.points(run_id, metric)
        metrics = [documents.metric_document(point) for point in points]
        return json_response(_page("metrics", metrics, token))

    def _log(self, run_id: str, entries: Entries, tags: Tags) -> None:
        """Log entries, then the tags that are fields of a run. Safe to repeat."""
        self._runs.log(run_id, entries)
        if tags.note is not None:
            self._runs.update(run_id, RunChange(note=tags.note))
        if tags.name is not None:
            self._rename(self._runs.get(run_id), tags.name)

    def _rename(self, run: Run, given: str) -> Run:
        """Rename a run. As for a new run, a taken name gets _2, _3 and so on."""
        name = valid_name(given)
        if name is None or name == run.name:
            return run
        author = run.owner or "mlflow"
        for number in range(1, MAX_SUFFIX):
            candidate = name if number == 1 else with_suffix(name, number)
            if candidate == run.name:
                return run
            try:
                return self._runs.update(run.run_id, RunChange(name=candidate, author=author))
            except NameTakenError:
                continue
        raise NameTakenError

    def _archive(self, call: Call, *, is_archived: bool) -> Response:
        self._runs.update(_run_id(Fields(call.json())), RunChange(is_archived=is_archived))
        return json_response({})


def _run_id(fields: Fields) -> str:
    return fields.required_text("run_id", "run_uuid")


def _page(name: str, items: list[Any], token: str | None) -> dict[str, Any]:
    return {name: items} if token is None else {name: items, "next_page_token": token}
