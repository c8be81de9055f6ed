"""Wiring: settings -> the ASGI application. Nothing is loaded before the application starts."""

import functools
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import connexion
from connexion.exceptions import ProblemException
from connexion.jsonifier import Jsonifier
from connexion.options import SwaggerUIOptions
from connexion.resolver import Resolver
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException
from starlette.formparsers import MultiPartException
from starlette.types import ASGIApp

from inference import problems
from inference.api import Api
from inference.errors import ServiceError
from inference.experiments import Experiments
from inference.metrics import Metrics
from inference.models import ModelDirectory
from inference.requests import BASE_PATH, RequestLayer
from inference.settings import Settings


def create_app(settings: Settings) -> ASGIApp:
    """Return the service as an ASGI application; its lifespan loads the models and closes what it opened."""
    models = ModelDirectory(settings.models_dir, settings.compiled_dir)
    experiments = Experiments()
    metrics = Metrics(models)
    api = Api(models, experiments, metrics, settings.max_image_bytes)

    @asynccontextmanager
    async def lifespan(_app: Any) -> AsyncIterator[None]:
        await run_in_threadpool(models.load)
        yield
        models.close()
        experiments.close()

    app = connexion.FlaskApp(
        __name__,
        specification_dir=Path(__file__).parent,
        lifespan=lifespan,
        jsonifier=Jsonifier(json, separators=(",", ":")),
        swagger_ui_options=SwaggerUIOptions(swagger_ui_path="/ui"),
        strict_validation=True,
    )
    app.add_api("openapi.yaml", base_path=BASE_PATH, resolver=Resolver(functools.partial(_operation, api)))
    app.add_error_handler(ServiceError, problems.of_service_error)
    app.add_error_handler(ProblemException, problems.of_refusal)
    app.add_error_handler(HTTPException, problems.of_status)
    app.add_error_handler(MultiPartException, problems.of_broken_body)
    app.add_error_handler(UnicodeError, problems.of_broken_body)  # of a charset in the Content-Type that is none
    app.add_error_handler(Exception, problems.of_failure)
    return RequestLayer(app, metrics)


def _operation(api: Api, operation_id: str) -> Callable[..., Any]:
    """Return an operation's method, its answer marked as what it is: Connexion cannot choose where a document names two types."""
    method = getattr(api, operation_id)

    @functools.wraps(method)
    def typed(*arguments: Any, **named: Any) -> tuple[Any, int, dict[str, str]]:
        answer = method(*arguments, **named)
        body, status = answer if isinstance(answer, tuple) else (answer, 200)
        content_type = "text/plain" if isinstance(body, str) else "application/json"
        return body, status, {"Content-Type": content_type}

    return typed
