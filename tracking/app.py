"""ASGI application of the tracking process: routes of the native API and of MLflow's."""

from starlette.applications import Starlette
from starlette.routing import Route

from tracking.storage.stores import Stores


def routes(stores: Stores) -> list[Route]:
    """Return all routes. MLflow's come from `tracking.mlflow.routes.routes(stores)`."""
    raise NotImplementedError


def create_app(stores: Stores) -> Starlette:
    """Return the application."""
    return Starlette(routes=routes(stores))
