"""Routes: synchronous handlers of whole requests, called in a thread pool."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import orjson
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from tracking.errors import InvalidError, TrackingError

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Call:
    """A request with its whole body. Of a repeated parameter of the query, the last one counts."""

    path: Mapping[str, Any]
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> dict[str, Any]:
        """Return the body as a JSON object, empty without a body. Raises InvalidError."""
        if not self.body:
            return {}
        try:
            document = orjson.loads(self.body)
        except orjson.JSONDecodeError as error:
            raise InvalidError("The body is not valid JSON. Send a JSON object.") from error
        if not isinstance(document, dict):
            raise InvalidError("The body is not a JSON object. Send one, like {}.")
        return document


Handler = Callable[[Call], Response]
ErrorEncoder = Callable[[TrackingError], Response]


def json_response(document: object, status: int = 200) -> Response:
    """Return a response of JSON."""
    return Response(orjson.dumps(document), status, media_type="application/json")


def route(method: str, path: str, handler: Handler, encode_error: ErrorEncoder) -> Route:
    """Return a route whose errors `encode_error` answers; an unexpected one is logged."""

    async def endpoint(request: Request) -> Response:
        try:
            body = await request.body()
        except ClientDisconnect:
            return Response(status_code=499)
        call = Call(request.path_params, request.query_params, request.headers, body)
        try:
            return await run_in_threadpool(handler, call)
        except TrackingError as error:
            return encode_error(error)
        except Exception:
            logger.exception("Request failed: %s %s", method, path)
            return encode_error(TrackingError())

    return Route(path, endpoint, methods=[method])
