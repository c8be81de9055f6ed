"""Forwarder: an ASGI layer in front of Connexion that hands requests to the tracking process."""

from collections.abc import AsyncIterator, Callable
from typing import Any

from starlette.types import ASGIApp, Receive, Scope, Send

from inference.api.tracking.addresses import Addresses
from inference.api.tracking.bundling import Bundling, can_wait
from inference.api.tracking.errors import TrackingOffError, TrackingUnavailableError
from inference.api.tracking.socket_client import ConnectionLostError, Response, SocketClient
from inference.errors import RequestTooLargeError, ServiceError
from servicekit.request_context import current_request_id

# Others either belong to one connection, or are the gateway's to check.
FORWARDED = frozenset({b"content-type", b"content-length", b"user-agent"})
DROPPED = frozenset({b"connection", b"date", b"server", b"transfer-encoding"})


def forwarded(**_arguments: Any) -> None:
    """Stand for an operation of openapi.yaml that Connexion never has to answer."""
    raise ServiceError


class TrackingForwarder:
    """Wraps an ASGI application. For the thread of one event loop."""

    def __init__(
        self,
        app: ASGIApp,
        addresses: Addresses,
        socket: str | None,
        max_bytes: Callable[[str, str], int | None],
        count_limit: Callable[[str], None],
    ) -> None:
        """Forward to a Unix socket. Without one, tracking is off.

        `max_bytes` returns the largest body of a method and path whose body has not been measured.
        `count_limit` counts a request that exceeds the limit of this name.
        """
        self._app, self._addresses = app, addresses
        self._client = None if socket is None else SocketClient(socket)
        self._max_bytes, self._count_limit = max_bytes, count_limit
        self._bundling = Bundling()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Forward a request of tracking, or call the application. Raises ServiceError."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            if self._client is not None:  # the lifespan has ended
                self._client.close()
            return
        if not self._addresses.include(scope["method"], scope["path"]):
            await self._app(scope, receive, send)
            return
        if self._client is None:
            raise TrackingOffError
        if can_wait(scope["method"], scope["path"], _content_length(scope)):
            await self._bundling.wait()
        head, is_chunked = _head(scope)
        body = self._body(
            receive, self._max_bytes(scope["method"], scope["path"]), is_chunked=is_chunked
        )
        try:
            response = await self._client.request(head, body)
        except ConnectionLostError as error:
            raise TrackingUnavailableError from error
        except _ClientLeftError:
            return
        await _send(response, send)

    async def _body(
        self, receive: Receive, limit: int | None, *, is_chunked: bool
    ) -> AsyncIterator[bytes]:
        """Yield the body as it is sent on. Raises RequestTooLargeError."""
        has_more, size = True, 0
        while has_more:
            message = await receive()
            if message["type"] == "http.disconnect":
                raise _ClientLeftError
            chunk, has_more = message.get("body", b""), message.get("more_body", False)
            size += len(chunk)
            if limit is not None and size > limit:
                self._count_limit("request_bytes")
                raise RequestTooLargeError(f"The body is larger than {limit} bytes.")
            if chunk:
                yield b"%x\r\n%b\r\n" % (len(chunk), chunk) if is_chunked else chunk
        if is_chunked:
            yield b"0\r\n\r\n"


def _content_length(scope: Scope) -> bytes | None:
    return next((value for name, value in scope["headers"] if name == b"content-length"), None)


class _ClientLeftError(Exception):
    """The client closed its connection before the end of its request."""


def _head(scope: Scope) -> tuple[bytes, bool]:
    """Return the head of the request that is sent on, and whether its body is chunked."""
    path = scope.get("raw_path") or scope["path"].encode()
    query = scope["query_string"]
    target = path + b"?" + query if query else path
    names = {name for name, _ in scope["headers"]}
    is_chunked = b"transfer-encoding" in names
    lines = [
        b"%b %b HTTP/1.1" % (scope["method"].encode(), target),
        b"host: tracking",
        b"x-request-id: " + current_request_id().encode(),
        *(b"%b: %b" % pair for pair in scope["headers"] if pair[0] in FORWARDED),
    ]
    if is_chunked:
        lines.append(b"transfer-encoding: chunked")
    elif b"content-length" not in names and scope["method"] not in ("GET", "HEAD"):
        lines.append(b"content-length: 0")
    return b"\r\n".join([*lines, b"", b""]), is_chunked


async def _send(response: Response, send: Send) -> None:
    headers = [pair for pair in response.headers if pair[0] not in DROPPED]
    await send({"type": "http.response.start", "status": response.status, "headers": headers})
    await send({"type": "http.response.body", "body": bytes(response.body)})
