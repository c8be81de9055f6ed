"""ASGI application of the tracking process: routes of the native API and of MLflow's."""

from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.routing import Route, Router
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from servicekit.tracking_status import TrackingStatus
from tracking.errors import InvalidError
from tracking.mlflow import routes as mlflow
from tracking.native import routes as native
from tracking.native.problems import encode_error
from tracking.storage.stores import Stores


def routes(stores: Stores) -> list[Route]:
    """Return all routes, the busiest ones first."""
    return [*native.routes(stores), *mlflow.routes(stores)]


def create_app(stores: Stores, status: TrackingStatus) -> ASGIApp:
    """Return the application, which counts its requests in `status`."""
    return _Application(Router(routes(stores)), status)


class _Application:
    """ASGI layer that counts requests and failures, and refuses unknown addresses."""

    def __init__(self, router: ASGIApp, status: TrackingStatus) -> None:
        self._router, self._status = router, status

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request; pass any other scope on."""
        if scope["type"] != "http":
            await self._router(scope, receive, send)
            return
        self._status.requests += 1

        async def counting_send(message: Message) -> None:
            status = message.get("status", HTTPStatus.OK)
            if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
                self._status.failures += 1
            await send(message)

        scope["app"] = self  # the router then raises HTTPException
        try:
            await self._router(scope, receive, counting_send)
        except HTTPException:  # an address that the service does not forward by its document
            refusal = encode_error(InvalidError("The tracking process has no such operation."))
            await refusal(scope, receive, counting_send)
