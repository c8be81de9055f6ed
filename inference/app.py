"""Wiring: settings -> the ASGI application. Nothing is loaded before the application starts."""

import functools
import gc
import inspect
import json
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import connexion
import flask
from connexion.datastructures import MediaTypeDict
from connexion.exceptions import ProblemException
from connexion.jsonifier import Jsonifier
from connexion.lifecycle import ConnexionRequest, ConnexionResponse
from connexion.options import SwaggerUIOptions
from connexion.resolver import Resolver
from connexion.validators import VALIDATOR_MAP, AbstractRequestBodyValidator
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException
from starlette.types import ASGIApp

from inference.api import error_handlers
from inference.api.fast_path import FastPath
from inference.api.operations import Api
from inference.api.parameter_validator import NamingValidator
from inference.api.record_operations import Records
from inference.database.experiments import Experiments
from inference.database.imports import Imports
from inference.database.pool import Database
from inference.database.predictions import History
from inference.errors import JournalFullError, RequestTooLargeError, ServiceError
from inference.models.aliases import ALIASES_FILE, Aliases
from inference.models.promotion import Promotions
from inference.models.repository import ModelRepository
from inference.observability.metrics import Metrics
from inference.originals.reader import Original, Originals
from inference.prediction.predictor import MAX_IMAGES, Predictor
from inference.prediction_log.journal import Journal, pending_bytes
from inference.prediction_log.recorder import PredictionLog
from inference.preprocessing.digits import SIDE
from inference.runtime.malloc import trim_heap
from inference.server.admission import AdmissionController
from inference.server.api_keys import Keys
from inference.server.gateway import BASE_PATH, Gateway
from inference.settings import Settings
from servicekit.trusted_hosts import TrustedHosts

# A call of many models makes more objects than Python's default of 700 lets be before it looks for
# garbage, of which there is none.
GC_THRESHOLDS = 20_000, 20, 100
# Of the largest bodies a worker reads so many at once; each costs up to four times its size
# meanwhile.
LARGE_BODIES = 4
NDJSON = "application/x-ndjson"
# What a document of the most images has of each; so deep and so wide a one is read in a fraction of
# a second.
MAX_LISTS = 1 + MAX_IMAGES * (1 + SIDE)
MAX_COMMAS = MAX_IMAGES * (1 + SIDE + SIDE * SIDE)
# An original has the name of its content and never changes; it is what somebody sent, and so is an
# image or nothing.
ORIGINAL_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Cache-Control": "private, max-age=86400, immutable",
}


def create_app(settings: Settings) -> ASGIApp:
    """Return the service as an ASGI application.

    Its lifespan loads the models and closes what it opened.
    """
    aliases = Aliases(settings.journal_dir / ALIASES_FILE)
    models = ModelRepository(
        settings.models_dir, settings.compiled_dir, settings.models_memory_bytes, aliases.pointers
    )
    database = Database()
    experiments = Experiments(database)
    journal = (
        Journal(settings.journal_dir, settings.journal_bytes) if settings.journal_bytes else None
    )
    metrics = Metrics(models, journal)
    log = PredictionLog(
        journal, metrics, keeps_originals=settings.stores_images, refuses=settings.refuses_when_full
    )
    predictor = Predictor(
        models,
        metrics,
        log,
        max_image_bytes=settings.max_image_bytes,
        cache_entries=settings.cache_entries,
    )
    api = Api(models, experiments, predictor, log, metrics, database, aliases)
    history = History(database, functools.partial(pending_bytes, settings.journal_dir))
    records = Records(
        history,
        Promotions(database, models, aliases),
        Imports(database),
        Originals(database, settings.images_url),
    )

    @asynccontextmanager
    async def lifespan(_app: Any) -> AsyncIterator[None]:
        aliases.start()
        await run_in_threadpool(models.load)
        models.follow(log.versions)
        # What is there now stays: without this, each full collection looks through it all and halts
        # every request for 50 ms.
        gc.collect()
        trim_heap()
        gc.freeze()
        gc.set_threshold(*GC_THRESHOLDS)
        yield
        predictor.close()
        models.close()
        aliases.close()
        if journal is not None:
            journal.close()
        database.close()

    app = connexion.FlaskApp(
        __name__,
        specification_dir=Path(__file__).parent,
        lifespan=lifespan,
        jsonifier=Jsonifier(json, separators=(",", ":")),
        swagger_ui_options=SwaggerUIOptions(swagger_ui_path="/ui"),
        strict_validation=True,
        validator_map={
            "body": MediaTypeDict({**VALIDATOR_MAP["body"], "application/json": _UncheckedBody}),
            "parameter": NamingValidator,
        },
    )
    # It warns at every request of an operation that takes several types of content.
    logging.getLogger("connexion.operations.openapi3").setLevel(logging.ERROR)
    # It misses a function that checks keys; the request layer does.
    logging.getLogger("connexion.security").setLevel(logging.ERROR)
    app.add_api(
        "openapi.yaml",
        base_path=BASE_PATH,
        resolver=Resolver(functools.partial(_operation, api, records)),
    )
    app.add_error_handler(ServiceError, error_handlers.of_service_error)
    app.add_error_handler(JournalFullError, functools.partial(_refused, metrics))
    app.add_error_handler(ProblemException, error_handlers.of_refusal)
    app.add_error_handler(HTTPException, error_handlers.of_status)
    app.add_error_handler(MultiPartException, error_handlers.of_broken_body)
    app.add_error_handler(
        UnicodeError, error_handlers.of_broken_body
    )  # of a charset in the Content-Type that is none
    app.add_error_handler(
        RecursionError, error_handlers.of_broken_body
    )  # of JSON that is nested without end
    app.add_error_handler(Exception, error_handlers.of_failure)
    lane = FastPath(predictor) if settings.fast_lane else None
    keys = None if settings.api_keys_file is None else Keys(settings.api_keys_file)
    room = AdmissionController(settings.max_requests, LARGE_BODIES * settings.max_request_bytes)
    return Gateway(
        app,
        lane,
        metrics,
        room,
        TrustedHosts(settings.allowed_hosts),
        keys,
        settings.max_request_bytes,
    )


def _refused(
    metrics: Metrics, request: ConnexionRequest, error: JournalFullError
) -> ConnexionResponse:
    """Answer a request that could not be logged, and count it."""
    metrics.journal_refused.inc()
    return error_handlers.of_service_error(request, error)


class _UncheckedBody(AbstractRequestBodyValidator):  # type: ignore[misc]  # connexion is untyped
    """Leaves a body of JSON to inference.api.json_images.

    A schema takes minutes for a thousand images, and says less of what is wrong.
    """


def _operation(api: Api, records: Records, operation_id: str) -> Callable[..., Any]:
    """Return an operation's method, its answer marked as what it is.

    Connexion cannot choose where a document names two types.
    """
    method = getattr(records if hasattr(records, operation_id) else api, operation_id)
    takes_document = "document" in inspect.signature(method).parameters

    @functools.wraps(method)
    def typed(*arguments: Any, **named: Any) -> Any:
        answer = (
            method(*arguments, **named, document=_json())
            if takes_document
            else method(*arguments, **named)
        )
        if isinstance(answer, Original):
            return answer.data, 200, {"Content-Type": answer.media_type, **ORIGINAL_HEADERS}
        if isinstance(answer, bytes):  # of JSON
            return flask.Response(answer, content_type="application/json")
        body, status = answer if isinstance(answer, tuple) else (answer, 200)
        content_type = "text/plain" if isinstance(body, str) else "application/json"
        return body, status, {"Content-Type": content_type}

    def predict(*arguments: Any, **named: Any) -> Any:
        arrays = _json() if flask.request.is_json else None
        is_stream = (
            flask.request.accept_mimetypes.best_match(["application/json", NDJSON]) == NDJSON
        )
        answer = api.predict(*arguments, **named, arrays=arrays, is_stream=is_stream)
        return flask.Response(answer, content_type=NDJSON if is_stream else "application/json")

    return functools.wraps(api.predict)(predict) if operation_id == "predict" else typed


def _json() -> Any:
    """Return the document of the body, an empty one where it is no JSON of UTF-8."""
    # Not by Connexion's own way to a body, which fails on a Content-Type with two slashes.
    data = flask.request.get_data()
    if (
        data.count(b"[") > MAX_LISTS or data.count(b",") > MAX_COMMAS
    ):  # reading them would cost seconds, and a gigabyte
        raise RequestTooLargeError(
            f"One call takes at most {MAX_IMAGES} images of {SIDE} rows of {SIDE} numbers."
        )
    try:
        return json.loads(data.decode())
    except (ValueError, RecursionError):
        return {}
