"""What every request gets, whatever answers it: an id, a count and a duration. The outermost ASGI layer."""

import asyncio
import itertools
import os
import re
import time
from collections.abc import Callable

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from inference import context
from inference.errors import MalformedRequest, RequestTooLarge
from inference.forms import Headers, PlainForm
from inference.lane import NDJSON, Answer, FastLane
from inference.metrics import Metrics
from inference.problems import send_problem

BASE_PATH = "/api/v1.0"
HOT = {f"{BASE_PATH}/{operation}": operation for operation in ("inference", "predictions")}
INFERENCE_URL = f"{BASE_PATH}/inference?".encode()
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
        form = self._plain_form(scope)
        if form is not None:
            receive = body = ReadBody(receive)
            own_id = self._id(form.request_id)
            answer = await self._answer(scope["path"], form, await body.whole(), own_id.decode())
            if answer is not None:
                try:
                    await _send(send, answer, own_id)
                finally:
                    self._metrics.answered(HOT[scope["path"]], 200, "fast", time.perf_counter() - started)
                return
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

    def inference_form(self, url: bytes, headers: Headers) -> PlainForm | None:
        """Return the form of a request that may be for `infer`, None for any other."""
        if self._lane is None or not url.startswith(INFERENCE_URL):
            return None
        return PlainForm.of(headers, url[len(INFERENCE_URL) :], self._max_request_bytes)

    def infer(self, form: PlainForm, body: bytes, started: float, answer: Callable[[bytes | None, bytes], None]) -> bool:
        """Take a request of POST /inference that began at a time.perf_counter(), or return False: it is to be called as ASGI.

        What was taken is answered in a later turn of the loop, with the JSON and its X-Request-Id, or None: it is to be called.
        """
        own_id = self._id(form.request_id)

        def done(document: bytes | None) -> None:
            answer(document, own_id)
            if document is not None:
                self._metrics.answered("inference", 200, "fast", time.perf_counter() - started)

        return self._lane is not None and self._lane.infer(form, body, own_id.decode(), done)

    def _plain_form(self, scope: Scope) -> PlainForm | None:
        """Return the form of a request that may be for the lane, None for any other."""
        if self._lane is None or scope["method"] != "POST" or scope["path"] not in HOT:
            return None
        return PlainForm.of(scope["headers"], scope["query_string"], self._max_request_bytes)

    async def _answer(self, path: str, form: PlainForm, body: bytes | None, own_id: str) -> Answer | None:
        """Return what the lane answers, None when the request is for Connexion."""
        lane = self._lane
        if lane is None or body is None:
            return None
        if HOT[path] == "predictions":
            return await lane.predict(form, body, own_id)
        answered: asyncio.Future[bytes | None] = asyncio.get_running_loop().create_future()

        def done(document: bytes | None) -> None:
            if not answered.done():  # its client may have gone
                answered.set_result(document)

        return await answered if lane.infer(form, body, own_id, done) else None

    def _id(self, given: bytes) -> bytes:
        return given if given and SANE_ID.fullmatch(given) else b"%032x" % (next(self._ids) % 2**128)


class ReadBody:
    """Reads a request's body, and receives it once more for who comes after."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._messages: list[Message] = []

    async def whole(self) -> bytes | None:
        """Return the body, None when the client goes before its end."""
        message: Message = {"more_body": True}
        while message.get("more_body", False):
            message = await self._receive()
            self._messages.append(message)
            if message["type"] != "http.request":
                return None
        return b"".join([message["body"] for message in self._messages])

    async def __call__(self) -> Message:
        """Receive what was read once more, and then what comes."""
        return self._messages.pop(0) if self._messages else await self._receive()


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
