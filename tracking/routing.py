"""Routes: handlers of whole requests, synchronous ones in a thread pool."""

import inspect
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import orjson
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from servicekit import request_context
from tracking.errors import InvalidError, TrackingError

CLIENT_CLOSED_REQUEST = 499  # the client left before its response: nginx's number

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
AsyncHandler = Callable[[Call], Awaitable[Response]]
ErrorEncoder = Callable[[TrackingError], Response]


def json_response(document: object, status: int = 200) -> Response:
    """Return a response of JSON."""
    return Response(orjson.dumps(document), status, media_type="application/json")


def route(
    method: str, path: str, handler: Handler | AsyncHandler, encode_error: ErrorEncoder
) -> Route:
    """Return a route whose errors `encode_error` answers; an unexpected one is logged.

    A handler that is not a coroutine function runs in a thread.
    """
    is_async = inspect.iscoroutinefunction(handler)

    async def respond(call: Call) -> Response:
        if is_async:
            return await cast("AsyncHandler", handler)(call)
        return await run_in_threadpool(cast("Handler", handler), call)

    async def endpoint(request: Request) -> Response:
        headers = request.headers
        request_id = headers.get("x-request-id", "none").encode()
        program = request_context.parse_program(headers.get("user-agent", "").encode("latin-1"))
        with request_context.of_request(request_id, program):
            try:
                body = await request.body()
                return await respond(Call(request.path_params, request.query_params, headers, body))
            except ClientDisconnect:
                return Response(status_code=CLIENT_CLOSED_REQUEST)
            except TrackingError as error:
                return encode_error(error)
            except Exception:
                logger.exception("Request failed: %s %s", method, path)
                return encode_error(TrackingError())

    return Route(path, endpoint, methods=[method])
