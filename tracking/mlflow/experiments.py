"""Experiments of MLflow, which are projects: create, get, search, rename, delete, restore, tags."""

from typing import Final

from starlette.responses import Response

from tracking.errors import InvalidError
from tracking.mlflow.documents import experiment_document
from tracking.mlflow.entries import read_tags
from tracking.mlflow.fields import Fields, project_id
from tracking.mlflow.filters import EXPERIMENT_ATTRIBUTES, parse_filter, parse_orders
from tracking.mlflow.paging import read_page
from tracking.routing import Call, json_response
from tracking.runs import ProjectChange
from tracking.storage.stores import Stores

DELETED: Final = {"ACTIVE_ONLY": False, "DELETED_ONLY": True, "ALL": None}
MAX_EXPERIMENTS: Final = 50_000  # of one page, as in MLflow
DEFAULT_EXPERIMENTS: Final = 1_000


class ExperimentsApi:
    """Handlers of experiments. Every method raises TrackingError."""

    def __init__(self, stores: Stores) -> None:
        self._projects = stores.projects

    def create(self, call: Call) -> Response:
        """Create an experiment. Its artifact location is always the one of this service."""
        fields = Fields(call.json())
        tags = read_tags(fields.objects("tags"))
        project = self._projects.create(fields.required_text("name"), tags.stored)
        return json_response({"experiment_id": str(project.id)})

    def get(self, call: Call) -> Response:
        """Return an experiment by its id."""
        project = self._projects.get(_project_id(Fields(call.query)))
        return json_response({"experiment": experiment_document(project)})

    def get_by_name(self, call: Call) -> Response:
        """Return an experiment by its name."""
        name = Fields(call.query).required_text("experiment_name")
        return json_response({"experiment": experiment_document(self._projects.get_by_name(name))})

    def search(self, call: Call) -> Response:
        """Return a page of the experiments that match a filter."""
        fields = Fields(call.json() or call.query)
        page = read_page(fields, DEFAULT_EXPERIMENTS, MAX_EXPERIMENTS)
        view = fields.text("view_type") or "ACTIVE_ONLY"
        if view not in DELETED:
            raise InvalidError(f"view_type {view} is unknown. Send one of {', '.join(DELETED)}.")
        found = self._projects.search(
            parse_filter(fields.text("filter") or "", EXPERIMENT_ATTRIBUTES),
            parse_orders(fields.texts("order_by"), EXPERIMENT_ATTRIBUTES),
            page.limit,
            page.offset,
            deleted=DELETED[view],
        )
        projects, token = page.cut(found)
        document = {"experiments": [experiment_document(project) for project in projects]}
        return json_response(document if token is None else {**document, "next_page_token": token})

    def update(self, call: Call) -> Response:
        """Rename an experiment."""
        fields = Fields(call.json())
        return self._change(fields, ProjectChange(name=fields.required_text("new_name")))

    def delete(self, call: Call) -> Response:
        """Mark an experiment as deleted. Its runs stay."""
        return self._change(Fields(call.json()), ProjectChange(is_deleted=True))

    def restore(self, call: Call) -> Response:
        """Restore a deleted experiment."""
        return self._change(Fields(call.json()), ProjectChange(is_deleted=False))

    def set_tag(self, call: Call) -> Response:
        """Store one tag."""
        fields = Fields(call.json())
        key, value = fields.required_text("key"), fields.text("value") or ""
        return self._change(fields, ProjectChange(tags={key: value}))

    def delete_tag(self, call: Call) -> Response:
        """Remove one tag. A tag that the experiment does not have is removed already."""
        fields = Fields(call.json())
        return self._change(fields, ProjectChange(tags={fields.required_text("key"): None}))

    def _change(self, fields: Fields, change: ProjectChange) -> Response:
        self._projects.update(_project_id(fields), change)
        return json_response({})


def _project_id(fields: Fields) -> int:
    return project_id(fields.required_text("experiment_id"))
