"""What every request gets, whatever answers it: an id, a count and a duration. The outermost ASGI layer."""

import functools
import os
import re
import time
from contextvars import ContextVar

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from inference.metrics import Metrics

BASE_PATH = "/api/v1.0"
SANE_ID = re.compile(rb"[A-Za-z0-9_.-]{1,64}")
OPERATIONS = frozenset({"inference", "predictions", "experiments", "models", "healthz", "readyz", "metrics", "ui"})

_request_id: ContextVar[bytes] = ContextVar("request_id", default=b"none")


def current_request_id() -> str:
    """Return the id of the request that is being answered."""
    return _request_id.get().decode()


class RequestLayer:
    """Wraps an ASGI application: X-Request-Id on every answer, its metrics, and a bound on what a request may hold."""

    def __init__(self, app: ASGIApp, metrics: Metrics) -> None:
        self._app = app
        self._metrics = metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or pass on what is none."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        given = b""
        has_type = False
        for name, value in scope["headers"]:
            if name == b"content-type":
                has_type = True
            elif name == b"x-request-id":
                given = given or value
        request_id = given if given and SANE_ID.fullmatch(given) else os.urandom(16).hex().encode()
        token = _request_id.set(request_id)
        status = 500

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", []), (b"x-request-id", request_id)]
            await send(message)

        path = scope["path"]
        if not has_type or "\n" in path:
            scope = _acceptable(scope, has_type=has_type)
        try:
            await self._app(scope, receive, send_with_id)
        finally:
            self._metrics.answered(_operation(path), status, time.perf_counter() - started)
            _request_id.reset(token)


def _acceptable(scope: Scope, *, has_type: bool) -> Scope:
    """Return a request without the two oddities on which Connexion fails instead of refusing them."""
    # RFC 9110, 8.3: bytes of no stated type are octets. Connexion would take them for what it hoped to get.
    headers = scope["headers"] if has_type else [*scope["headers"], (b"content-type", b"application/octet-stream")]
    # Its router and Flask's disagree about a newline at the end of a path; no name has one.
    return {**scope, "headers": headers, "path": scope["path"].replace("\n", "\ufffd")}


@functools.lru_cache(maxsize=1024)
def _operation(path: str) -> str:
    first = path.removeprefix(BASE_PATH).strip("/").split("/", 1)[0]
    return first if first in OPERATIONS else "other"
