"""Connexion application: the operations of openapi.yaml bound to their handlers."""

import functools
import inspect
import json
import re
from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any

import connexion
import flask
from connexion.datastructures import MediaTypeDict
from connexion.jsonifier import Jsonifier
from connexion.options import SwaggerUIOptions
from connexion.resolver import Resolver
from connexion.spec import Specification
from connexion.validators import VALIDATOR_MAP

from inference.api import error_handlers
from inference.api.connexion_workarounds import ConnexionWorkarounds, UncheckedBody
from inference.api.fast_path import INFERENCE, PREDICTIONS
from inference.api.json_images import parse_document
from inference.api.learning import streamed_uploads, streaming
from inference.api.learning.responses import Located
from inference.api.parameter_validator import NamedParameterValidator
from inference.api.tracking.addresses import MAX_ARTIFACT_BYTES
from inference.observability.metrics import Metrics
from inference.originals.reader import Original
from inference.prediction.limits import MAX_IMAGES
from inference.server.routes import MLFLOW_ARTIFACTS, Routes

SPECIFICATION = Path(__file__).parent.parent / "openapi.yaml"
BASE_PATH = "/api/v1.0"
JSON, NDJSON = "application/json", "application/x-ndjson"
STATUS_OPERATIONS = frozenset({"healthz", "readyz", "metrics"})
LEARNING_RESOURCES = frozenset(
    {
        streamed_uploads.UPLOAD, "uploads", "datasets", "header", "retrain", "score", "runs",
        "schedules", "label-requests", "evaluations",
    }
)  # fmt: skip
MONITORING_RESOURCES = frozenset({"monitors", "alerts"})
RESOURCES = LEARNING_RESOURCES | MONITORING_RESOURCES | {
    INFERENCE, PREDICTIONS, "explanations", "experiments", "models", "aliases", "imports", "images",
    "protocols", "ui",
}  # fmt: skip
PUBLIC_RESOURCES = frozenset({"experiments", "models", "header", "protocols", "ui"})
ROUTES = Routes(
    base_path=BASE_PATH,
    operations=RESOURCES | STATUS_OPERATIONS,
    always_admitted=STATUS_OPERATIONS,
    private_reads=RESOURCES - PUBLIC_RESOURCES,
    fast_paths={f"{BASE_PATH}/{operation}": operation for operation in (INFERENCE, PREDICTIONS)},
    streamed_bodies={
        **{
            re.compile(re.escape(BASE_PATH) + "/" + path.pattern): (
                streaming.MAX_UPLOAD_BYTES + streaming.FORM_BYTES
            )
            for path in (streamed_uploads.UPLOAD_PATH, streamed_uploads.MODEL_PATH)
        },
        re.compile(re.escape(MLFLOW_ARTIFACTS) + ".+"): MAX_ARTIFACT_BYTES,
    },
)
# The digest in its URL identifies an original, so it never changes. The bytes are a client's:
# a browser must not guess another type.
ORIGINAL_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "private, max-age=86400, immutable",
}

Handler = Callable[..., Any]
Lifespan = Callable[[Any], AbstractAsyncContextManager[None]]


def create_connexion_app(
    handlers: Mapping[str, Handler], metrics: Metrics, lifespan: Lifespan
) -> ConnexionWorkarounds:
    """Return the ASGI application; `handlers` has one for every operationId of openapi.yaml."""
    app = connexion.FlaskApp(
        __name__,
        specification_dir=SPECIFICATION.parent,
        lifespan=lifespan,
        jsonifier=Jsonifier(json, separators=(",", ":")),
        swagger_ui_options=SwaggerUIOptions(swagger_ui_path="/ui"),
        strict_validation=True,
        validator_map={
            "body": MediaTypeDict({**VALIDATOR_MAP["body"], JSON: UncheckedBody}),
            "parameter": NamedParameterValidator,
        },
    )
    operations = {name: _operation(handler) for name, handler in handlers.items()}
    document = Specification.load(SPECIFICATION)
    app.add_api(document.raw, base_path=BASE_PATH, resolver=Resolver(operations.__getitem__))
    accepted = error_handlers.Operations(BASE_PATH, document["paths"])
    error_handlers.register(app, metrics, accepted)
    return ConnexionWorkarounds(app)


def _operation(handler: Handler) -> Handler:
    """Return a handler that Connexion can call: it gets the JSON body and sets the content type.

    Connexion cannot choose a type itself where openapi.yaml names two.
    """
    parameters = inspect.signature(handler).parameters

    @functools.wraps(handler)
    def operation(*arguments: Any, **keywords: Any) -> Any:
        if "is_stream" in parameters:
            keywords["is_stream"] = _accepts_stream()
            # None is a form; a body of null is JSON without a field.
            keywords["document"] = (_json_body() or {}) if flask.request.is_json else None
        elif "document" in parameters:
            keywords["document"] = _json_body()
        return _response(handler(*arguments, **keywords), is_stream=keywords.get("is_stream"))

    return operation


def _response(result: Any, *, is_stream: bool | None) -> Any:
    if is_stream:
        return flask.Response(result, content_type=NDJSON)
    if isinstance(result, bytes):  # JSON, already encoded
        return flask.Response(result, content_type=JSON)
    if isinstance(result, Original):
        return result.data, 200, {"Content-Type": result.media_type, **ORIGINAL_HEADERS}
    if isinstance(result, Located):
        location = {"Location": BASE_PATH + result.location}
        return result.document, result.status, {"Content-Type": JSON, **location}
    body, status = result if isinstance(result, tuple) else (result, 200)
    return body, status, {"Content-Type": "text/plain" if isinstance(body, str) else JSON}


def _accepts_stream() -> bool:
    return flask.request.accept_mimetypes.best_match([JSON, NDJSON]) == NDJSON


def _json_body() -> Any:
    # Not by Connexion's own parser, which fails on a Content-Type with two slashes.
    return parse_document(flask.request.get_data(), MAX_IMAGES)
