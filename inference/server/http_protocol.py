"""HTTP protocol: uvicorn's, with limits for each connection and a direct way to the fast path.

A request through ASGI costs a task, an event, a scope and four messages, which together take longer
than the model. A plain POST request for the fast path therefore goes from the parser straight to
the gateway. Where the fast path declines it, the application is called as for any other request.
"""

import asyncio
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, cast
from urllib.parse import unquote

import httptools
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from inference.drain import Drain
from inference.errors import (
    HeadTooLargeError,
    MalformedRequestError,
    OverloadedError,
    RequestTimeoutError,
    ServiceError,
    UnsupportedVersionError,
)
from inference.server.direct.wire_answers import DirectAnswer, encode_answer
from inference.server.lingering_transport import LingeringTransport
from inference.server.request_head import DISCARDED, RequestHead, encode_head
from inference.server.slow_clients import CHECK_SECONDS, Awaited, StallTimer

if TYPE_CHECKING:  # the parent process of the workers does not import it
    from inference.server.direct.direct_requests import DirectRequest

NOT_HTTP = "The bytes are not an HTTP/1.1 request with one Host and one length. Check the client."
NO_PROXY = "The service is not a proxy and does not support CONNECT. Send the request without it."

SPOKEN, UNREAD = ("1.1", "1.0"), "0.0"  # versions of HTTP, as the parser names them
MAX_HEAD_BYTES = 65_536
CHUNK_OVERHEAD_BYTES = 6  # on the wire, for a chunk of one byte
MAX_CONNECTIONS = 4096  # of a worker

Respond = Callable[[DirectAnswer | None, bytes], None]  # the answer, and the request id


class ConnectionGateway(Protocol):
    """The application, as a connection uses it besides ASGI."""

    drain: Drain

    def admit(self, url: bytes, head: RequestHead) -> "DirectRequest | None":
        """Return the POST request if the fast path may take it, else None."""

    def submit(
        self, request: "DirectRequest", url: bytes, body: bytes, started: float, respond: Respond
    ) -> bool:
        """Take a request, or return False: call the application. `respond` is called later."""

    def refuse(self, error: ServiceError, limit: str, url: bytes) -> bytes:
        """Count a limit and return the response to a connection that exceeded it."""

    def count_limit(self, limit: str) -> None:
        """Count a connection that exceeded a limit."""


class HttpProtocol(HttpToolsProtocol):
    """One connection."""

    _direct: "DirectCycle | None" = None  # the request whose body is arriving
    _requests = 0  # whose heads have arrived
    _is_in_body = False
    _received_bytes = 0  # since the last head, or since its end
    _body_bytes = 0  # of the current body
    _write_pauses = 0  # how often the client was found not to read

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        """Start."""
        self._lingering = LingeringTransport(transport, lambda: self._is_in_body)
        super().connection_made(cast("asyncio.Transport", self._lingering))
        self._gateway = cast("ConnectionGateway", self.app)
        self._stall_timer = StallTimer()
        if len(self.connections) > MAX_CONNECTIONS:
            self._refuse(OverloadedError(), "connections")
        self.loop.call_later(CHECK_SECONDS, self._check_client)

    def data_received(self, data: bytes) -> None:
        """Parse what arrived, and refuse a head, or the framing of a body, that is too large."""
        if self._lingering.is_lingering:
            return
        self._received_bytes += len(data)
        self._unset_keepalive_if_required()
        try:
            self._parse(data)
        except httptools.HttpParserError as error:
            refusal = error.__context__  # raised by a callback of the parser
            if self.parser.get_http_version() not in (*SPOKEN, UNREAD):
                refusal = UnsupportedVersionError()  # HTTP/1.2, or the preface of HTTP/2
            elif not isinstance(refusal, ServiceError):
                refusal = MalformedRequestError(NOT_HTTP)
            self._refuse(refusal, "http")
        overhead = self._received_bytes - CHUNK_OVERHEAD_BYTES * self._body_bytes
        if overhead > MAX_HEAD_BYTES and not self.transport.is_closing():
            self._refuse(HeadTooLargeError(), "head_bytes")

    def shutdown(self) -> None:
        """Close the connection, or ask for the end of a response that would last."""
        if self.scope is not None:
            self.scope["is_stopping"] = True  # type: ignore[typeddict-unknown-key]
        super().shutdown()

    def pause_writing(self) -> None:
        """Note that the client does not read."""
        self._write_pauses += 1
        super().pause_writing()

    def on_headers_complete(self) -> None:
        """Start a request: directly where the fast path may take it and none is in progress."""
        version = self.parser.get_http_version()
        if version not in SPOKEN:
            raise UnsupportedVersionError
        if self.parser.should_upgrade():
            if self.parser.get_method() == b"CONNECT":
                raise MalformedRequestError(NO_PROXY)
            return  # the head will be parsed again without the offer
        self._requests += 1
        self._is_in_body = True
        self._received_bytes = self._body_bytes = 0
        headers, self.headers = self.headers, DISCARDED
        head = RequestHead.parse(headers)
        is_1_1 = version == "1.1"
        if head.host is None and is_1_1:
            raise MalformedRequestError(NOT_HTTP)
        self.scope["request_head"] = head  # type: ignore[typeddict-unknown-key]
        request = None
        is_idle = self.cycle is None or self.cycle.response_complete
        if is_idle and self.parser.get_method() == b"POST":
            request = self._gateway.admit(self.url, head)
        if request is None or not is_1_1 or self.flow.write_paused:
            super().on_headers_complete()
            return
        keep_alive = self.parser.should_keep_alive()
        self._direct = DirectCycle(request, self.url, self.scope, keep_alive=keep_alive)
        # uvicorn takes it for a cycle of its own and lets further requests wait.
        self.cycle = cast("RequestResponseCycle", self._direct)

    def on_body(self, body: bytes) -> None:
        """Take a piece of a body."""
        self._body_bytes += len(body)
        if self._direct is None:
            super().on_body(body)
        else:
            self._direct.body += body

    def on_message_complete(self) -> None:
        """Submit a direct request, or call the application."""
        if self.parser.should_upgrade():
            return
        self._is_in_body = False
        self._received_bytes = self._body_bytes = 0
        direct, self._direct = self._direct, None
        if direct is None:
            super().on_message_complete()
            return

        def respond(answer: DirectAnswer | None, request_id: bytes) -> None:
            self._respond(direct, answer, request_id)

        body = bytes(direct.body)
        if not self._gateway.submit(direct.request, direct.url, body, direct.started, respond):
            self._call_application(direct)

    def on_response_complete(self) -> None:
        """Flush the head of a response without a body."""
        self.transport.write(b"")
        super().on_response_complete()

    def _parse(self, data: bytes) -> None:
        """Parse what arrived, and ignore offers to change the protocol (RFC 9110, 7.8).

        After a head with Upgrade the parser stops: it expects the other protocol. A new parser
        gets the same head without Upgrade, then the rest of the data.
        """
        pieces: list[bytes | memoryview] = [data]
        while pieces:
            piece = pieces.pop()
            try:
                self.parser.feed_data(piece)
            except httptools.HttpParserUpgrade as offer:
                version = self.parser.get_http_version().encode()
                head = encode_head(self.parser.get_method(), self.url, version, self.headers)
                pieces += [memoryview(piece)[offer.args[0] :], head]
                self.parser = httptools.HttpRequestParser(self)
                # As in uvicorn: data behind the last request of a connection is not an error.
                self.parser.set_dangerous_leniencies(lenient_data_after_close=True)

    def _respond(
        self, direct: "DirectCycle", answer: DirectAnswer | None, request_id: bytes
    ) -> None:
        if direct.disconnected:
            return
        if answer is None:
            self._call_application(direct)
            return
        is_last = not direct.keep_alive or self._gateway.drain.is_active
        headers = self.server_state.default_headers
        self.transport.write(encode_answer(answer, request_id, headers, is_last=is_last))
        direct.response_complete = True
        if is_last:
            self.transport.close()
        super().on_response_complete()

    def _check_client(self) -> None:
        """Close the connection if its client is too slow to send, to read, or to leave."""
        if self.parser is None:  # the connection has ended
            return
        self.loop.call_later(CHECK_SECONDS, self._check_client)
        awaited = self._awaited()
        if not self._stall_timer.has_stalled(awaited, self.loop.time(), self._body_bytes):
            return
        assert awaited is not None  # noqa: S101  # only a client can stall
        if awaited.step in ("end", "reader"):
            self._gateway.count_limit(awaited.step)
            self.transport.abort()
        elif awaited.step == "head" and not self._received_bytes:
            self.transport.close()  # an idle kept-alive connection
        else:
            self._refuse(RequestTimeoutError(), awaited.step)

    def _awaited(self) -> Awaited | None:
        """Return the client's next step, None while the service is busy."""
        if self.transport.is_closing():
            return Awaited("end", 0)
        if self.flow.write_paused:
            return Awaited("reader", self._write_pauses)
        if self._is_in_body:
            return None if self.flow.read_paused else Awaited("body", self._requests)
        is_idle = self.cycle is None or self.cycle.response_complete
        return Awaited("head", self._requests) if is_idle else None

    def _refuse(self, error: ServiceError, limit: str) -> None:
        """Close the connection, with a response where none has started."""
        response = self._gateway.refuse(error, limit, self.url or b"")
        if not getattr(self.cycle, "response_started", False) or self.cycle.response_complete:
            self.transport.write(response)
        self._lingering.close_now()

    def _call_application(self, direct: "DirectCycle") -> None:
        """Call the application for a request that has arrived in full."""
        raw, _, query = direct.url.partition(b"?")
        path = unquote(raw.decode())
        direct.scope.update(method="POST", path=path, raw_path=raw, query_string=query)
        cycle = RequestResponseCycle(
            scope=direct.scope,
            transport=self.transport,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=self.access_log,
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=False,
            keep_alive=direct.keep_alive,
            on_response=self.on_response_complete,
        )
        cycle.body, cycle.more_body = direct.body, False
        cycle.message_event.set()
        if self.cycle is cast("RequestResponseCycle", direct):
            self.cycle = cycle
        self._start_asgi_task(cycle, self.app)


class DirectCycle:
    """A direct request in the place of uvicorn's cycle, with the attributes that uvicorn reads."""

    __slots__ = (
        "body",
        "disconnected",
        "keep_alive",
        "request",
        "response_complete",
        "scope",
        "started",
        "url",
    )
    message_event: ClassVar[asyncio.Event] = asyncio.Event()  # set by uvicorn, never awaited

    def __init__(
        self, request: "DirectRequest", url: bytes, scope: Any, *, keep_alive: bool
    ) -> None:
        self.request = request
        self.url = url
        self.scope = scope
        self.keep_alive = keep_alive
        self.body = bytearray()
        self.started = time.perf_counter()
        self.response_complete = False
        self.disconnected = False
