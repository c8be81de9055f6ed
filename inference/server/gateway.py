"""What every request gets, whatever answers it: an id, its limits, a count and a duration.

The outermost ASGI layer.
"""

import asyncio
import itertools
import logging
import os
import re
import time
from collections.abc import Callable
from typing import NoReturn

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from inference.api.error_handlers import send_problem, wire_problem
from inference.api.fast_path import NDJSON, Answer, FastPath
from inference.errors import (
    KeyRequiredError,
    MalformedRequestError,
    OverloadedError,
    RequestTooLargeError,
    ServiceError,
    UnsupportedEncodingError,
    UntrustedOriginError,
)
from inference.observability.metrics import Metrics
from inference.server.admission import AdmissionController
from inference.server.api_keys import Keys
from inference.server.multipart import MAX_LENGTH_DIGITS, Headers, MultipartRequest
from inference.server.request_head import RequestHead
from servicekit import request_context
from servicekit.trusted_hosts import TrustedHosts

BASE_PATH = "/api/v1.0"
HOT = {f"{BASE_PATH}/{operation}": operation for operation in ("inference", "predictions")}
SHORT = {path.encode(): operation for path, operation in HOT.items()}
SANE_ID = re.compile(rb"[A-Za-z0-9_.-]{1,64}")
OPERATIONS = frozenset(
    {
        "inference",
        "predictions",
        "experiments",
        "models",
        "aliases",
        "imports",
        "images",
        "healthz",
        "readyz",
        "metrics",
        "ui",
    }
)
ALWAYS_ANSWERED = frozenset({"healthz", "readyz", "metrics"})  # also when there is no room for more
READING_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
# What the short way may take is a small image; a larger body is read with a check on what comes
MAX_SHORT_BYTES = 131_072
SLOW_SECONDS = 1.0
GONE = 499  # a client that left before its answer, as nginx counts it

logger = logging.getLogger(__name__)


class Gateway:
    """Wraps an ASGI application.

    The id, metrics, name and key of every request, bounds on what is taken on, the fast lane.
    """

    def __init__(
        self,
        app: ASGIApp,
        lane: FastPath | None,
        metrics: Metrics,
        room: AdmissionController,
        hosts: TrustedHosts,
        keys: Keys | None,
        max_request_bytes: int,
    ) -> None:
        self._app = app
        self._lane = lane
        self._metrics = metrics
        self._room = room
        self._hosts = hosts
        self._keys = keys
        self._max_request_bytes = max_request_bytes
        self._ids = itertools.count(int.from_bytes(os.urandom(16)))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request, or pass on what is none."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        form = self._plain_form(scope)
        if form is not None and self._room.take(form.length) is None:
            try:
                receive = body = ReadBody(receive)
                request_id = self._id(form.request_id)
                answer = await self._answer(
                    scope["path"], form, await body.whole(), request_id.decode()
                )
                if answer is not None:
                    try:
                        await _send(send, answer, request_id)
                    finally:
                        self._metrics.answered(
                            HOT[scope["path"]], 200, "fast", time.perf_counter() - started
                        )
                    return
            finally:
                self._room.give(form.length)
        head = RequestHead.of(scope["headers"])
        request_id = self._id(head.request_id)
        tokens = (
            request_context.request_id.set(request_id),
            request_context.source.set(request_context.parse_program(head.program)),
        )
        operation, status = _operation(scope["path"]), GONE

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", []), (b"x-request-id", request_id)]
            await send(message)

        try:
            await self._call(scope, receive, send_with_id, head, operation)
        except ServiceError as refusal:
            await send_problem(send_with_id, refusal)
        except Exception:
            status = 500
            raise
        finally:
            seconds = time.perf_counter() - started
            self._metrics.answered(operation, status, "connexion", seconds)
            # From where on it is the service's fault
            if status >= 500 or seconds > SLOW_SECONDS:  # noqa: PLR2004
                said = {
                    "operation": operation,
                    "status": status,
                    "milliseconds": round(1000 * seconds),
                }
                logger.warning("An answer failed or was slow.", extra=said)
            request_context.request_id.reset(tokens[0])
            request_context.source.reset(tokens[1])

    async def _call(
        self, scope: Scope, receive: Receive, send: Send, head: RequestHead, operation: str
    ) -> None:
        """Call the application with a request that keeps the limits.

        Raises ServiceError for any other.
        """
        is_change = scope["method"] not in READING_METHODS
        if not self._hosts.admits(head.host, head.origin if is_change else b""):
            self.limit_hit("host")
            raise UntrustedOriginError
        if is_change and not self._has_key(head.key):
            self.limit_hit("key")
            raise KeyRequiredError
        if not head.length.isdigit():
            raise MalformedRequestError("Content-Length is no number of bytes.")
        size = (
            int(head.length)
            if len(head.length) <= MAX_LENGTH_DIGITS
            else self._max_request_bytes + 1
        )
        if size > self._max_request_bytes:
            self._refuse_size()
        if head.is_encoded:
            raise UnsupportedEncodingError
        limit = None if operation in ALWAYS_ANSWERED else self._room.take(size)
        if limit is not None:
            self.limit_hit(limit)
            raise OverloadedError
        try:
            scope = _acceptable(scope, has_type=head.has_type)
            if head.is_chunked:
                receive = body = ReadBody(receive)
                length = await self._chunked_length(body)
                headers = [each for each in scope["headers"] if each[0] != b"transfer-encoding"]
                scope = {**scope, "headers": [*headers, (b"content-length", b"%d" % length)]}
            await self._app(scope, receive, send)
        finally:
            if operation not in ALWAYS_ANSWERED:
                self._room.give(size)

    async def _chunked_length(self, body: "ReadBody") -> int:
        """Read a body that comes without its length, for Connexion takes only one that has it.

        Return its length in bytes.
        """
        length = 0
        while (piece := await body.next()) is not None:
            length += len(piece)
            if length > self._max_request_bytes:
                self._refuse_size()
        return length

    def _refuse_size(self) -> NoReturn:
        self.limit_hit("request_bytes")
        raise RequestTooLargeError(f"A request may have {self._max_request_bytes} bytes.")

    def _has_key(self, key: bytes | None) -> bool:
        """Tell whether a request may do more than read: where there are keys, it needs one."""
        return self._keys is None or (key is not None and self._keys.admits(key))

    def limit_hit(self, limit: str) -> None:
        """Count a request or connection that met a limit."""
        self._metrics.limits.labels(limit).inc()

    def refusal(self, error: ServiceError, limit: str) -> bytes:
        """Return the whole answer for a connection that met a limit before there was a request to
        call.
        """
        self.limit_hit(limit)
        return wire_problem(error, self._id(b""))

    def short_form(self, url: bytes, headers: Headers) -> MultipartRequest | None:
        """Return the form of a request of POST that may be for `take`, None for any other."""
        path, _, query = url.partition(b"?")
        if self._lane is None or path not in SHORT:
            return None
        return self._admitted(headers, query, MAX_SHORT_BYTES)

    def take(
        self,
        url: bytes,
        form: MultipartRequest,
        body: bytes,
        started: float,
        answer: Callable[[bytes | None, bytes], None],
    ) -> bool:
        """Take a request that began at a time.perf_counter(), or return False.

        It is to be called as ASGI.

        What was taken is answered in a later turn of the loop, with the JSON and its X-Request-Id,
        or None: it is to be called.
        """
        if self._lane is None or self._room.take(form.length) is not None:
            return False
        operation = SHORT[url.partition(b"?")[0]]
        request_id = self._id(form.request_id)

        def done(document: bytes | None) -> None:
            self._room.give(form.length)
            answer(document, request_id)
            if document is not None:
                self._metrics.answered(operation, 200, "fast", time.perf_counter() - started)

        if operation == "inference":
            is_taken = self._lane.infer(form, body, request_id.decode(), done)
        else:
            document = self._lane.predict_at_once(form, body, request_id.decode())
            is_taken = document is not None
            if is_taken:
                asyncio.get_running_loop().call_soon(done, document)
        if not is_taken:
            self._room.give(form.length)
        return is_taken

    def _plain_form(self, scope: Scope) -> MultipartRequest | None:
        """Return the form of a request that may be for the lane, None for any other."""
        if self._lane is None or scope["method"] != "POST" or scope["path"] not in HOT:
            return None
        return self._admitted(scope["headers"], scope["query_string"], self._max_request_bytes)

    def _admitted(self, headers: Headers, query: bytes, max_bytes: int) -> MultipartRequest | None:
        """Return the form of a request of POST that has it and may be made."""
        if self._keys is not None and not self._has_key(dict(headers).get(b"x-api-key")):
            return None
        form = MultipartRequest.of(headers, query, max_bytes)
        return form if form is not None and self._hosts.admits(form.host, form.origin) else None

    async def _answer(
        self, path: str, form: MultipartRequest, body: bytes | None, request_id: str
    ) -> Answer | None:
        """Return what the lane answers, None when the request is for Connexion."""
        lane = self._lane
        if lane is None or body is None:
            return None
        if HOT[path] == "predictions":
            return await lane.predict(form, body, request_id)
        answered: asyncio.Future[bytes | None] = asyncio.get_running_loop().create_future()

        def done(document: bytes | None) -> None:
            if not answered.done():  # its client may have gone
                answered.set_result(document)

        return await answered if lane.infer(form, body, request_id, done) else None

    def _id(self, given: bytes) -> bytes:
        return (
            given if given and SANE_ID.fullmatch(given) else b"%032x" % (next(self._ids) % 2**128)
        )


class ReadBody:
    """Reads a request's body, and receives it once more for who comes after."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._messages: list[Message] = []

    async def whole(self) -> bytes | None:
        """Return the body, None when the client goes before its end."""
        while await self.next() is not None:
            pass
        if self._messages[-1]["type"] != "http.request":
            return None
        return b"".join([message["body"] for message in self._messages])

    async def next(self) -> bytes | None:
        """Return the next piece of the body, None behind its end or when the client has gone."""
        if self._messages and not self._messages[-1].get("more_body", False):
            return None
        self._messages.append(await self._receive())
        return self._messages[-1].get("body")

    async def __call__(self) -> Message:
        """Receive what was read once more, and then what comes."""
        return self._messages.pop(0) if self._messages else await self._receive()


async def _send(send: Send, answer: Answer, request_id: bytes) -> None:
    """Send what the lane answered: a whole body, or its pieces as they come."""
    if isinstance(answer, bytes):
        headers = [
            (b"content-type", b"application/json"),
            (b"content-length", b"%d" % len(answer)),
            (b"x-request-id", request_id),
        ]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": answer})
        return
    headers = [(b"content-type", NDJSON), (b"x-request-id", request_id)]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    async for piece in answer:
        await send({"type": "http.response.body", "body": piece, "more_body": True})
    await send({"type": "http.response.body", "body": b""})


def _acceptable(scope: Scope, *, has_type: bool) -> Scope:
    """Return a request without the oddities on which Connexion fails instead of refusing them."""
    if has_type and "\n" not in scope["path"] and "//" not in scope["path"]:
        return scope
    # RFC 9110, 8.3: bytes of no stated type are octets. Connexion would take them for what it hoped
    # to get.
    headers = (
        scope["headers"]
        if has_type
        else [*scope["headers"], (b"content-type", b"application/octet-stream")]
    )
    # Its router and Flask's disagree about a newline at the end of a path and about empty steps in
    # it; no name has either.
    return {
        **scope,
        "headers": headers,
        "path": scope["path"].replace("\n", "\ufffd").replace("//", "/\ufffd/"),
    }


def _operation(path: str) -> str:
    first = path.removeprefix(BASE_PATH).strip("/").split("/", 1)[0]
    return first if first in OPERATIONS else "other"
