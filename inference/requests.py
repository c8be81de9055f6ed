"""What every request gets, whatever answers it: an id, a count and a duration. The outermost ASGI layer."""

import os
import re
import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from inference.errors import MalformedRequest, RequestTooLarge
from inference.metrics import Metrics
from inference.problems import send_problem
from inference.request_id import request_id

BASE_PATH = "/api/v1.0"
HOT = {f"{BASE_PATH}/{operation}": operation for operation in ("inference", "predictions")}
SANE_ID = re.compile(rb"[A-Za-z0-9_.-]{1,64}")
OPERATIONS = frozenset({"inference", "predictions", "experiments", "models", "healthz", "readyz", "metrics", "ui"})


class RequestLayer:
    """Wraps an ASGI application: X-Request-Id on every answer, its metrics, and a bound on what a request may hold."""

    def __init__(self, app: ASGIApp, metrics: Metrics, max_request_bytes: int) -> None:
        self._app = app
        self._metrics = metrics
        self._max_request_bytes = max_request_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or pass on what is none."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        given = b""
        length = b"0"
        has_type = False
        for name, value in scope["headers"]:
            if name == b"content-type":
                has_type = True
            elif name == b"content-length":
                length = value
            elif name == b"x-request-id":
                given = given or value
        own_id = given if given and SANE_ID.fullmatch(given) else os.urandom(16).hex().encode()
        token = request_id.set(own_id)
        status = 500

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", []), (b"x-request-id", own_id)]
            await send(message)

        path = scope["path"]
        if not has_type or "\n" in path or "//" in path:
            scope = _acceptable(scope, has_type=has_type)
        try:
            if not length.isdigit():
                await send_problem(send_with_id, MalformedRequest("Content-Length is no number of bytes."))
            elif int(length) > self._max_request_bytes:
                await send_problem(send_with_id, RequestTooLarge(f"A request may have {self._max_request_bytes} bytes."))
            else:
                await self._app(scope, receive, send_with_id)
        finally:
            self._metrics.answered(HOT.get(path) or _operation(path), status, time.perf_counter() - started)
            request_id.reset(token)


def _acceptable(scope: Scope, *, has_type: bool) -> Scope:
    """Return a request without the oddities on which Connexion fails instead of refusing them."""
    # RFC 9110, 8.3: bytes of no stated type are octets. Connexion would take them for what it hoped to get.
    headers = scope["headers"] if has_type else [*scope["headers"], (b"content-type", b"application/octet-stream")]
    # Its router and Flask's disagree about a newline at the end of a path and about empty steps in it; no name has either.
    return {**scope, "headers": headers, "path": scope["path"].replace("\n", "\ufffd").replace("//", "/\ufffd/")}


def _operation(path: str) -> str:
    first = path.removeprefix(BASE_PATH).strip("/").split("/", 1)[0]
    return first if first in OPERATIONS else "other"
