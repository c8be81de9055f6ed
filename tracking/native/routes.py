"""Routes of the native API: the operations of openapi.yaml that the service forwards."""

from collections.abc import Callable

from starlette.responses import Response
from starlette.routing import Route

from tracking.native.artifacts import ArtifactsApi
from tracking.native.experiments import ExperimentsApi
from tracking.native.points import PointsApi
from tracking.native.problems import encode_error
from tracking.routing import AsyncHandler, Call, route
from tracking.storage.stores import Stores

EXPERIMENTS = "/api/v1.0/experiments"
ONE = f"{EXPERIMENTS}/{{name}}"


def routes(stores: Stores) -> list[Route]:
    """Return the routes."""
    experiments = ExperimentsApi(stores.runs, stores.projects)
    points = PointsApi(stores.runs)
    artifacts = ArtifactsApi(stores.runs, stores.artifacts)

    def _route(method: str, path: str, handler: Callable[[Call], Response] | AsyncHandler) -> Route:
        return route(method, path, handler, encode_error)

    return [
        _route("POST", f"{ONE}/points", points.log),
        _route("GET", f"{ONE}/points", points.read),
        _route("POST", EXPERIMENTS, experiments.create),
        _route("PATCH", ONE, experiments.change),
        _route("GET", f"{ONE}/artifacts", artifacts.list),
        _route("GET", f"{ONE}/artifacts/{{path:path}}", artifacts.read),
    ]
