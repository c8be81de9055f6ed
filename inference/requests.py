"""What every request gets, whatever answers it: an id, a count and a duration. The outermost ASGI layer."""

import itertools
import os
import re
import time

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from inference import context
from inference.errors import MalformedRequest, RequestTooLarge
from inference.forms import PlainForm
from inference.lane import NDJSON, Answer, FastLane
from inference.metrics import Metrics
from inference.problems import send_problem

BASE_PATH = "/api/v1.0"
HOT = {f"{BASE_PATH}/{operation}": operation for operation in ("inference", "predictions")}
SANE_ID = re.compile(rb"[A-Za-z0-9_.-]{1,64}")
OPERATIONS = frozenset(
    {"inference", "predictions", "experiments", "models", "aliases", "imports", "images", "healthz", "readyz", "metrics", "ui"}
)


class RequestLayer:
    """Wraps an ASGI application: X-Request-Id on every answer, its metrics, a bound on what a request may hold, the fast lane."""

    def __init__(self, app: ASGIApp, lane: FastLane | None, metrics: Metrics, max_request_bytes: int) -> None:
        self._app = app
        self._lane = lane
        self._metrics = metrics
        self._max_request_bytes = max_request_bytes
        self._ids = itertools.count(int.from_bytes(os.urandom(16)))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or pass on what is none."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        lane = self._lane
        if lane is not None and lane.takes(scope) and (form := PlainForm.of(scope, receive, self._max_request_bytes)) is not None:
            own_id = self._id(form.request_id)
            answer = await lane.answer(scope["path"], form, own_id.decode())
            if answer is not None:
                try:
                    await _send(send, answer, own_id)
                finally:
                    self._metrics.answered(HOT[scope["path"]], 200, "fast", time.perf_counter() - started)
                return
            receive = form.again
        given, length, has_type, program = _head(scope)
        own_id = self._id(given)
        tokens = context.request_id.set(own_id), context.source.set(context.source_of(program))
        status = 500

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", []), (b"x-request-id", own_id)]
            await send(message)

        try:
            if not length.isdigit():
                await send_problem(send_with_id, MalformedRequest("Content-Length is no number of bytes."))
            elif int(length) > self._max_request_bytes:
                await send_problem(send_with_id, RequestTooLarge(f"A request may have {self._max_request_bytes} bytes."))
            else:
                await self._app(_acceptable(scope, has_type=has_type), receive, send_with_id)
        finally:
            self._metrics.answered(_operation(scope["path"]), status, "connexion", time.perf_counter() - started)
            context.request_id.reset(tokens[0])
            context.source.reset(tokens[1])

    def _id(self, given: bytes) -> bytes:
        return given if given and SANE_ID.fullmatch(given) else b"%032x" % (next(self._ids) % 2**128)


def _head(scope: Scope) -> tuple[bytes, bytes, bool, bytes]:
    """Return a request's own id, its length, whether it states a type, and the program that sends it."""
    given, length, has_type, program = b"", b"0", False, b""
    for name, value in scope["headers"]:
        if name == b"content-type":
            has_type = True
        elif name == b"content-length":
            length = value
        elif name == b"x-request-id":
            given = given or value
        elif name == b"user-agent":
            program = value
    return given, length, has_type, program


async def _send(send: Send, answer: Answer, own_id: bytes) -> None:
    """Send what the lane answered: a whole body, or its pieces as they come."""
    if isinstance(answer, bytes):
        headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(answer)), (b"x-request-id", own_id)]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": answer})
        return
    headers = [(b"content-type", NDJSON), (b"x-request-id", own_id)]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    async for piece in answer:
        await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


def _acceptable(scope: Scope, *, has_type: bool) -> Scope:
    """Return a request without the oddities on which Connexion fails instead of refusing them."""
    if has_type and "\n" not in scope["path"] and "//" not in scope["path"]:
        return scope
    # RFC 9110, 8.3: bytes of no stated type are octets. Connexion would take them for what it hoped to get.
    headers = scope["headers"] if has_type else [*scope["headers"], (b"content-type", b"application/octet-stream")]
    # Its router and Flask's disagree about a newline at the end of a path and about empty steps in it; no name has either.
    return {**scope, "headers": headers, "path": scope["path"].replace("\n", "\ufffd").replace("//", "/\ufffd/")}


def _operation(path: str) -> str:
    first = path.removeprefix(BASE_PATH).strip("/").split("/", 1)[0]
    return first if first in OPERATIONS else "other"
