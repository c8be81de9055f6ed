"""Gateway: the outermost ASGI layer. Request ids, limits, access, metrics, and the fast path."""

import itertools
import logging
import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from inference.drain import Drain
from inference.errors import (
    KeyRequiredError,
    MalformedRequestError,
    OverloadedError,
    RequestTooLargeError,
    ServiceError,
    UnsupportedEncodingError,
    UntrustedOriginError,
)
from inference.observability.metrics import CONNEXION, FAST, PROTOCOL, Metrics
from inference.server import cors, protocol_paths
from inference.server.access import AccessPolicy
from inference.server.admission import AdmissionController
from inference.server.direct.direct_requests import DirectRequest, DirectRequests
from inference.server.direct.fast_path_interface import NDJSON, FastPath, TensorPath, send_answer
from inference.server.direct.multipart import MAX_LENGTH_DIGITS, MultipartRequest
from inference.server.direct.wire_answers import DirectAnswer
from inference.server.problem_details import send_problem, wire_problem
from inference.server.request_body import BufferedBody
from inference.server.request_head import RequestHead
from inference.server.routes import Routes
from servicekit import request_context

VALID_REQUEST_ID = re.compile(rb"[A-Za-z0-9_.-]{1,64}")
SLOW_SECONDS = 1.0
CLIENT_CLOSED_REQUEST = 499  # the client left before its response: nginx's number
SERVER_ERROR, NOT_IMPLEMENTED = 500, 501  # 501 is not a failure: the part is optional

logger = logging.getLogger(__name__)


class Gateway:
    """Wraps an ASGI application; `fast_path` and `tensor_path` answer what they can without it."""

    def __init__(
        self,
        app: ASGIApp,
        routes: Routes,
        fast_path: FastPath | None,
        metrics: Metrics,
        admission: AdmissionController,
        access: AccessPolicy,
        max_request_bytes: int,
        drain: Drain | None = None,
        tensor_path: TensorPath | None = None,
    ) -> None:
        self.drain = drain or Drain()
        self._app = app
        self._routes = routes
        self._fast_path = fast_path
        self._fast_operations = {} if fast_path is None else dict(routes.fast_paths)
        self._direct = DirectRequests(
            self._fast_operations, fast_path, tensor_path, metrics, admission, access
        )
        self._metrics = metrics
        self._admission = admission
        self._access = access
        self._max_request_bytes = max_request_bytes
        self._ids = itertools.count(int.from_bytes(os.urandom(16)))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer an HTTP request; pass any other scope on."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = time.perf_counter()
        head: RequestHead = scope.get("request_head") or RequestHead.parse(scope["headers"])
        request_id = self._request_id(head)
        send = self._close_while_draining(cors.share(send, self._access.shares_with(head)))
        request = self._fast_request(scope, head)
        if request is not None:
            receive = body = BufferedBody(receive)
            if await self._answer_fast(scope["path"], request, body, request_id, send, started):
                return
        with request_context.of_request(request_id, head.source):
            await self._answer(scope, receive, send, head, request_id, started)

    def admit(self, url: bytes, head: RequestHead) -> DirectRequest | None:
        """Return a POST request if a fast path may take it from the parser, else None."""
        return self._direct.admit(url, head)

    def submit(
        self,
        request: DirectRequest,
        url: bytes,
        body: bytes,
        started: float,
        respond: Callable[[DirectAnswer | None, bytes], None],
    ) -> bool:
        """Take an admitted request, or return False, see DirectRequests."""
        request_id = self._request_id(request.head)
        return self._direct.submit(request, url, body, started, request_id, respond)

    def refuse(self, error: ServiceError, limit: str, url: bytes) -> bytes:
        """Count a limit and return the whole response to a connection that exceeded it.

        `url` is that of the request, empty if it has not arrived.
        """
        self.count_limit(limit)
        return wire_problem(error, self._new_id(), url.partition(b"?")[0].decode("latin-1"))

    def count_limit(self, limit: str) -> None:
        """Count a request or connection that exceeded a limit."""
        self._metrics.count_limit(limit)

    def _close_while_draining(self, send: Send) -> Send:
        """Return a `send` that closes the connection after a response that starts in a drain."""

        async def close(message: Message) -> None:
            if message["type"] == "http.response.start" and self.drain.is_active:
                message["headers"] = [*message.get("headers", []), (b"connection", b"close")]
            await send(message)

        return close

    def _fast_request(self, scope: Scope, head: RequestHead) -> MultipartRequest | None:
        """Return a request that the fast path may take, None for any other."""
        if scope["method"] != "POST" or scope["path"] not in self._fast_operations:
            return None
        if not self._access.allows_change(head):
            return None
        return MultipartRequest.of(head, scope["query_string"], self._max_request_bytes)

    async def _answer_fast(
        self,
        path: str,
        request: MultipartRequest,
        receive: BufferedBody,
        request_id: bytes,
        send: Send,
        started: float,
    ) -> bool:
        """Answer a request by the fast path, or return False: call the application."""
        if self._fast_path is None or self._admission.try_acquire(request.length) is not None:
            return False
        operation = self._fast_operations[path]
        try:
            body = await receive.read()
            if body is None:
                return False
            answer = await self._fast_path.answer(operation, request, body, request_id.decode())
            if answer is None:
                return False
            try:
                await send_answer(send, answer, request_id)
            finally:
                seconds = time.perf_counter() - started
                self._metrics.count_request(operation, 200, FAST, seconds)
            return True
        finally:
            self._admission.release(request.length)

    async def _answer(
        self,
        scope: Scope,
        receive: Receive,
        send: Send,
        head: RequestHead,
        request_id: bytes,
        started: float,
    ) -> None:
        """Answer a request by the application, or with the problem that it meets before it."""
        operation, status = self._routes.operation(scope["path"]), CLIENT_CLOSED_REQUEST

        async def send_with_id(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                message["headers"] = [*message.get("headers", []), (b"x-request-id", request_id)]
            await send(message)

        try:
            await self._call_application(scope, receive, send_with_id, head, operation)
        except ServiceError as refusal:
            await send_problem(send_with_id, refusal, scope["path"])
        except Exception:
            status = SERVER_ERROR
            raise
        finally:
            seconds = time.perf_counter() - started
            path = PROTOCOL if operation in protocol_paths.OPERATIONS else CONNEXION
            self._metrics.count_request(operation, status, path, seconds)
            is_streamed = self._routes.streamed_bytes(scope["method"], scope["path"]) is not None
            is_long = is_streamed or head.accept == NDJSON
            is_failure = status >= SERVER_ERROR and status != NOT_IMPLEMENTED
            if is_failure or (seconds > SLOW_SECONDS and not is_long):
                milliseconds = round(1000 * seconds)
                extra = {"operation": operation, "status": status, "milliseconds": milliseconds}
                logger.warning("Request failed or was slow.", extra=extra)

    async def _call_application(
        self, scope: Scope, receive: Receive, send: Send, head: RequestHead, operation: str
    ) -> None:
        """Call the application with a request within the limits. Raises ServiceError."""
        self._check_access(scope["method"], scope["path"], operation, head)
        if scope["method"] == "OPTIONS" and head.origin:
            await cors.send_preflight(send)
            return
        streamed_bytes = self._routes.streamed_bytes(scope["method"], scope["path"])
        size = self._body_bytes(head, streamed_bytes or self._max_request_bytes)
        if head.is_encoded and not self._routes.takes_compressed(scope["path"]):
            raise UnsupportedEncodingError
        has_body = size > 0 or head.is_chunked
        with self._admitted(operation, 0 if streamed_bytes else size, has_body=has_body):
            if head.is_chunked and not streamed_bytes:
                receive = body = BufferedBody(receive)
                length = await self._chunked_length(body)
                headers = [pair for pair in scope["headers"] if pair[0] != b"transfer-encoding"]
                scope = {**scope, "headers": [*headers, (b"content-length", b"%d" % length)]}
            await self._app(scope, receive, send)

    def _check_access(self, method: str, path: str, operation: str, head: RequestHead) -> None:
        try:
            self._access.check(
                method,
                operation,
                head,
                only_reads=self._routes.only_reads(path),
                takes_authorization=self._routes.takes_authorization(path),
            )
        except UntrustedOriginError:
            self.count_limit("host")
            raise
        except KeyRequiredError:
            self.count_limit("key")
            raise

    def _body_bytes(self, head: RequestHead, limit: int) -> int:
        """Return the length of the body. Raises ServiceError if it is invalid or too large."""
        length = b"0" if head.content_length is None else head.content_length
        if not length.isdigit():
            raise MalformedRequestError("Content-Length is not a number of bytes.")
        is_absurd = len(length) > MAX_LENGTH_DIGITS
        size = limit + 1 if is_absurd else int(length)
        if size > limit:
            raise self._too_large(limit)
        return size

    @contextmanager
    def _admitted(self, operation: str, size: int, *, has_body: bool) -> Iterator[None]:
        """Hold a place for a request. Raises OverloadedError where there is none."""
        if self._routes.is_always_admitted(operation, has_body=has_body):
            yield
            return
        limit = self._admission.try_acquire(size)
        if limit is not None:
            self.count_limit(limit)
            raise OverloadedError
        try:
            yield
        finally:
            self._admission.release(size)

    async def _chunked_length(self, body: BufferedBody) -> int:
        """Read a chunked body and return its length: Connexion needs a Content-Length."""
        length = 0
        while (chunk := await body.read_chunk()) is not None:
            length += len(chunk)
            if length > self._max_request_bytes:
                raise self._too_large(self._max_request_bytes)
        return length

    def _too_large(self, limit: int) -> ServiceError:
        self.count_limit("request_bytes")
        return RequestTooLargeError(
            f"The body is larger than {limit} bytes. Send less in one request."
        )

    def _request_id(self, head: RequestHead) -> bytes:
        """Return the client's id of a request if it is valid, else a new one."""
        own = head.request_id
        return own if own and VALID_REQUEST_ID.fullmatch(own) else self._new_id()

    def _new_id(self) -> bytes:
        return b"%032x" % (next(self._ids) % 2**128)
