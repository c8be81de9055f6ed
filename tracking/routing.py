"""Routes: handlers of whole requests, synchronous ones in a thread pool."""

import inspect
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, cast

import orjson
from starlette.concurrency import run_in_threadpool
from starlette.datastructures import Headers, QueryParams
from starlette.requests import ClientDisconnect
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

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
    return Route(path, _Endpoint(handler, encode_error, f"{method} {path}"), methods=[method])


class _Endpoint:
    """ASGI application of a route. Starlette's own functions take three times as long."""

    def __init__(
        self, handler: Handler | AsyncHandler, encode_error: ErrorEncoder, name: str
    ) -> None:
        self._handler, self._encode_error, self._name = handler, encode_error, name
        self._is_async = inspect.iscoroutinefunction(handler)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        headers = Headers(scope=scope)
        request_id = headers.get("x-request-id", "none").encode()
        program = request_context.parse_program(headers.get("user-agent", "").encode("latin-1"))
        with request_context.of_request(request_id, program):
            response = await self._answer(scope, receive, headers)
        await response(scope, receive, send)

    async def _answer(self, scope: Scope, receive: Receive, headers: Headers) -> Response:
        try:
            body = await _read_body(receive)
            query = scope["query_string"]
            call = Call(scope["path_params"], QueryParams(query) if query else {}, headers, body)
            if self._is_async:
                return await cast("AsyncHandler", self._handler)(call)
            return await run_in_threadpool(cast("Handler", self._handler), call)
        except ClientDisconnect:
            return Response(status_code=CLIENT_CLOSED_REQUEST)
        except TrackingError as error:
            return self._encode_error(error)
        except Exception:
            logger.exception("Request failed: %s", self._name)
            return self._encode_error(TrackingError())


async def _read_body(receive: Receive) -> bytes:
    """Return the whole body. Raises ClientDisconnect."""
    chunks: list[bytes] = []
    has_more = True
    while has_more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        chunks.append(message.get("body", b""))
        has_more = message.get("more_body", False)
    return chunks[0] if len(chunks) == 1 else b"".join(chunks)
