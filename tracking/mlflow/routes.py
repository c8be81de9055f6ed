"""Routes of MLflow's REST API. doc/tracking.md lists them."""

from typing import Final

from starlette.responses import Response
from starlette.routing import Route

from tracking import routing
from tracking.mlflow.artifacts import ArtifactsApi
from tracking.mlflow.errors import UnknownEndpointError, encode_error
from tracking.mlflow.experiments import ExperimentsApi
from tracking.mlflow.models import ModelsApi
from tracking.mlflow.runs import RunsApi
from tracking.routing import Call, Handler
from tracking.storage.logged_models import LoggedModels
from tracking.storage.stores import Stores

API: Final = "/api/2.0/mlflow"
ARTIFACTS: Final = "/api/2.0/mlflow-artifacts/artifacts"
METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE")


def routes(stores: Stores, models: LoggedModels | None = None) -> list[Route]:
    """Return the routes. An address that is none of them gets MLflow's 404."""
    models = models or LoggedModels(stores.database)
    return [
        *_experiment_routes(ExperimentsApi(stores)),
        *_run_routes(RunsApi(stores)),
        *_model_routes(ModelsApi(models)),
        *_artifact_routes(ArtifactsApi(stores.artifacts, stores.runs, models)),
        *(
            routing.route(method, f"{prefix}{{path:path}}", _unknown, encode_error)
            for prefix in (f"{API}/", "/api/2.0/mlflow-artifacts/")
            for method in METHODS
        ),
    ]


def _experiment_routes(api: ExperimentsApi) -> list[Route]:
    return [
        _route("GET", "experiments/get", api.get),
        _route("GET", "experiments/get-by-name", api.get_by_name),
        _route("GET", "experiments/search", api.search),
        _route("POST", "experiments/search", api.search),
        _route("POST", "experiments/create", api.create),
        _route("POST", "experiments/update", api.update),
        _route("POST", "experiments/delete", api.delete),
        _route("POST", "experiments/restore", api.restore),
        _route("POST", "experiments/set-experiment-tag", api.set_tag),
        _route("POST", "experiments/delete-experiment-tag", api.delete_tag),
    ]


def _run_routes(api: RunsApi) -> list[Route]:
    return [
        _route("POST", "runs/create", api.create),
        _route("GET", "runs/get", api.get),
        _route("POST", "runs/search", api.search),
        _route("POST", "runs/update", api.update),
        _route("POST", "runs/delete", api.delete),
        _route("POST", "runs/restore", api.restore),
        _route("POST", "runs/log-metric", api.log_metric),
        _route("POST", "runs/log-parameter", api.log_parameter),
        _route("POST", "runs/log-batch", api.log_batch),
        _route("POST", "runs/set-tag", api.set_tag),
        _route("POST", "runs/delete-tag", api.delete_tag),
        _route("POST", "runs/log-inputs", api.accept),
        _route("POST", "runs/log-model", api.accept),
        _route("POST", "runs/outputs", api.accept),
        _route("GET", "metrics/get-history", api.history),
    ]


def _model_routes(api: ModelsApi) -> list[Route]:
    return [
        _route("POST", "logged-models", api.create),
        _route("POST", "logged-models/search", api.search),
        _route("GET", "logged-models/{model_id}", api.get),
        _route("PATCH", "logged-models/{model_id}", api.finalize),
        _route("POST", "logged-models/{model_id}/params", api.add_params),
        _route("PATCH", "logged-models/{model_id}/tags", api.set_tags),
    ]


def _artifact_routes(api: ArtifactsApi) -> list[Route]:
    return [
        _route("GET", "artifacts/list", api.list_run),
        routing.route("GET", ARTIFACTS, api.list_files, encode_error),
        Route(f"{ARTIFACTS}/{{path:path}}", api.upload, methods=["PUT"]),
        routing.route("GET", f"{ARTIFACTS}/{{path:path}}", api.download, encode_error),
        routing.route("DELETE", f"{ARTIFACTS}/{{path:path}}", api.refuse, encode_error),
    ]


def _route(method: str, path: str, handler: Handler) -> Route:
    return routing.route(method, f"{API}/{path}", handler, encode_error)


def _unknown(_: Call) -> Response:
    raise UnknownEndpointError
