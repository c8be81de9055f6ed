"""Descriptions: the answers that need no body, about the service and its models."""

from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

import orjson

from inference.errors import (
    MalformedRequestError,
    ModelFailedError,
    ModelNotReadyError,
    OverloadedError,
    ServiceError,
)
from inference.models.version import ModelVersion, State
from inference.protocols import model_documents
from inference.protocols.catalog import Catalog
from inference.protocols.errors import NotKeptError
from inference.protocols.exchange import TEXT, Answer, version_header
from inference.protocols.routes import Action

Values = Mapping[str, str]  # of a path

NOT_SERVING = "The service is starting or draining. Try again in a few seconds."
MANAGED = (
    "The model directory decides which models are loaded. Publish a version there, or remove it."
)
NO_REGRESSION = "The models classify. Use :predict or :classify."


class Descriptions:
    """Answers for a catalog of models. `is_serving` returns whether the service can predict."""

    def __init__(self, catalog: Catalog, is_serving: Callable[[], bool]) -> None:
        self._catalog = catalog
        self._is_serving = is_serving
        self._answers: dict[Action, Callable[[Values], Answer]] = {
            Action.ALIVE: lambda _: _json({"status": "alive"}),
            Action.LIVE: lambda _: _json({"live": True}),
            Action.READY: lambda _: self._ready(),
            Action.SERVER: lambda _: _json(model_documents.describe_server()),
            Action.VERSION: self._version,
            Action.MODELS: lambda _: _json(model_documents.list_models(catalog.all())),
            Action.PING: self._ping,
            Action.STATUS: self._status,
            Action.METADATA: self._metadata,
            Action.MODEL: self._model,
            Action.MODEL_READY: self._model_ready,
            Action.LOAD: lambda _: _refuse(MalformedRequestError(MANAGED)),
            Action.REGRESS: lambda _: _refuse(MalformedRequestError(NO_REGRESSION)),
            Action.NOT_KEPT: lambda _: _refuse(NotKeptError()),
        }

    def answer(self, action: Action, values: Values) -> Answer:
        """Return the answer of an action for the values in its path. Raises ServiceError."""
        return self._answers[action](values)

    def index(self, request: Mapping[str, Any]) -> Answer:
        """Return the repository index, of READY versions only if the request asks for them."""
        only_ready = request.get("ready") is True
        return _json(model_documents.index(self._catalog.all(), only_ready=only_ready))

    def _ready(self) -> Answer:
        if self._is_serving():
            return _json({"ready": True})
        return _unready({"ready": False}, OverloadedError(NOT_SERVING))

    def _ping(self, values: Values) -> Answer:
        if values:
            self._catalog.find_ready(values)
        if not self._is_serving():
            raise OverloadedError(NOT_SERVING)
        return Answer(b"\n", TEXT)

    def _version(self, values: Values) -> Answer:
        if values:
            self._catalog.find_ready(values)
        return Answer(model_documents.API_VERSION.encode(), TEXT)

    def _status(self, values: Values) -> Answer:
        """Answer for a model that is READY with 200, for any other with the same and 503."""
        version = self._catalog.find(values)
        versions = self._catalog.versions(version) if values.keys() == {"name"} else [version]
        document = model_documents.describe_status(values["name"], version, versions)
        if version.state is State.READY:
            return _json(document, version)
        is_loading = version.state is State.LOADING
        return _unready(document, ModelNotReadyError() if is_loading else ModelFailedError())

    def _metadata(self, values: Values) -> Answer:
        version = self._catalog.find_ready(values)
        return _json(model_documents.describe_signatures(values["name"], version), version)

    def _model(self, values: Values) -> Answer:
        version = self._catalog.find_ready(values)
        versions = self._catalog.versions(version)
        return _json(model_documents.describe_model(values["name"], version, versions), version)

    def _model_ready(self, values: Values) -> Answer:
        version = self._catalog.find_ready(values)
        return _json({"name": values["name"], "ready": True}, version)


def _json(document: Any, version: ModelVersion | None = None) -> Answer:
    headers = () if version is None else (version_header(version),)
    return Answer(orjson.dumps(document), headers=headers)


def _unready(document: dict[str, Any], error: ServiceError) -> Answer:
    body = orjson.dumps({**document, "error": error.detail})
    retry = (b"retry-after", b"%d" % (error.retry_after_seconds or 1))
    return Answer(body, headers=(retry,), status=HTTPStatus.SERVICE_UNAVAILABLE)


def _refuse(error: ServiceError) -> Answer:
    raise error
