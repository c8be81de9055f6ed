"""Logged models of MLflow: announced by autologging, known by name, params, tags and status."""

import secrets
from typing import Any, Final

from starlette.responses import Response

from tracking.errors import InvalidError
from tracking.mlflow.documents import milliseconds
from tracking.mlflow.entries import read_params
from tracking.mlflow.fields import Fields, project_id
from tracking.mlflow.filters import parse_filter
from tracking.mlflow.paging import read_page
from tracking.routing import Call, json_response
from tracking.storage.logged_models import LoggedModel, LoggedModels

PENDING: Final = "LOGGED_MODEL_PENDING"
STATUSES: Final = (PENDING, "LOGGED_MODEL_READY", "LOGGED_MODEL_UPLOAD_FAILED")
MAX_MODELS: Final = 50
ATTRIBUTES: Final = {name: name for name in ("name", "source_run_id", "status")}
DEFAULT_NAME: Final = "model"


class ModelsApi:
    """Handlers of logged models. Every method raises TrackingError."""

    def __init__(self, models: LoggedModels) -> None:
        self._models = models

    def create(self, call: Call) -> Response:
        """Create a model of a run."""
        fields = Fields(call.json())
        run_id = fields.text("source_run_id")
        if not run_id:
            raise InvalidError("A logged model needs a run. Log it within mlflow.start_run().")
        model = self._models.create(
            f"m-{secrets.token_hex(16)}",
            run_id,
            fields.text("name") or DEFAULT_NAME,
            PENDING,
            read_params(fields.objects("params")),
            _tags(fields),
        )
        return _model_response(model)

    def get(self, call: Call) -> Response:
        """Return a model."""
        return _model_response(self._models.get(call.path["model_id"]))

    def finalize(self, call: Call) -> Response:
        """Store the status that the client reports."""
        status = Fields(call.json()).required_text("status")
        if status not in STATUSES:
            raise InvalidError(
                f"The status {status} is unknown. Send one of {', '.join(STATUSES)}."
            )
        return _model_response(self._models.update(call.path["model_id"], status=status))

    def add_params(self, call: Call) -> Response:
        """Add parameters."""
        params = read_params(Fields(call.json()).objects("params"))
        self._models.update(call.path["model_id"], params=params)
        return json_response({})

    def set_tags(self, call: Call) -> Response:
        """Store tags."""
        tags = _tags(Fields(call.json()))
        return _model_response(self._models.update(call.path["model_id"], tags=tags))

    def search(self, call: Call) -> Response:
        """Return a page of the models of experiments, the latest first."""
        fields = Fields(call.json())
        page = read_page(fields, MAX_MODELS, MAX_MODELS)
        projects = [project_id(text) for text in fields.texts("experiment_ids")]
        wanted = _wanted(fields)
        models, token = page.cut(self._models.search(projects, wanted, page.limit, page.offset))
        document: dict[str, Any] = {"models": [_document(model) for model in models]}
        return json_response(document if token is None else {**document, "next_page_token": token})


def _wanted(fields: Fields) -> dict[str, str]:
    """Return the attributes of a filter, and their values. Raises InvalidError."""
    if fields.objects("order_by"):
        raise InvalidError("The order_by of logged models is not supported. Leave it out.")
    conditions = parse_filter(fields.text("filter") or "", ATTRIBUTES)
    for condition in conditions:
        if condition.field != "attribute" or condition.operator != "=":
            raise InvalidError(f"A filter of logged models is {', '.join(ATTRIBUTES)} = 'VALUE'.")
    return {condition.key: str(condition.value) for condition in conditions}


def _tags(fields: Fields) -> dict[str, str]:
    return {item.required_text("key"): item.text("value") or "" for item in fields.objects("tags")}


def _model_response(model: LoggedModel) -> Response:
    return json_response({"model": _document(model)})


def _document(model: LoggedModel) -> dict[str, Any]:
    return {
        "info": {
            "model_id": model.id,
            "experiment_id": str(model.project_id),
            "name": model.name,
            "creation_timestamp_ms": milliseconds(model.created_at),
            "last_updated_timestamp_ms": milliseconds(model.changed_at),
            "artifact_uri": f"mlflow-artifacts:/{model.project_id}/models/{model.id}/artifacts",
            "status": model.status,
            "source_run_id": model.run_id,
            "tags": [{"key": key, "value": value} for key, value in sorted(model.tags.items())],
        },
        "data": {
            "params": [{"key": key, "value": value} for key, value in sorted(model.params.items())],
            "metrics": [],
        },
    }
