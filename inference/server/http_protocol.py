"""uvicorn's HTTP, with a short way for hot requests, and the head of an answer and the beginning of
its body in one write.

What ASGI needs for a request, a task, an event, a scope and four messages, takes longer than the
model. So a plain request of POST /inference, or of POST /predictions for one image, goes from the
parser to the fast lane, which may still decline it: then it is called as every other. And uvicorn
writes the head and the body of an answer one after the other: a second system call, packet and
wake-up of the client.
"""

import asyncio
import time
from typing import TYPE_CHECKING, Any, ClassVar, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from inference.errors import (
    HeadTooLargeError,
    MalformedRequestError,
    OverloadedError,
    RequestTimeoutError,
    ServiceError,
)

if TYPE_CHECKING:  # the parent of the workers needs none of what it imports
    from inference.server.gateway import Gateway
    from inference.server.multipart import MultipartRequest

HEAD, CONTINUE, HEAD_END = b"HTTP/1.1 ", b"HTTP/1.1 100 ", b"\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\nx-request-id: %b\r\n%b%b\r\n%b"
CLOSE = b"connection: close\r\n"

MAX_HEAD_BYTES = 65_536
FRAMING = 6  # bytes that a chunk of one byte takes on the wire
MAX_CONNECTIONS = 4096  # of a worker
# Each connection is looked at this often, and ends when what it waits for has not come after the
# second: 10 s at most.
LOOK_SECONDS = 1.0
WAIT_SECONDS = 8.0
BODY_BYTES_PER_SECOND = 32 * 1024  # a body that comes faster than this may take longer


class Protocol(HttpToolsProtocol):
    """One connection."""

    _short: "ShortCycle | None" = None  # whose body is being read
    _requests = 0  # whose heads were read
    _in_body = False
    _received = 0  # bytes since the last head, or since its end
    _body = 0  # bytes of the present body
    _awaited: tuple[str, int] | None = None  # what the client is waited for, and of which request
    _since = 0.0  # when that was first seen
    _pauses = 0  # how often the client was found not to read

    # As in uvicorn
    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Begin."""
        super().connection_made(cast("asyncio.Transport", JoinedWrites(transport)))
        if len(self.connections) > MAX_CONNECTIONS:
            self._refuse(OverloadedError(), "connections")
        self.loop.call_later(LOOK_SECONDS, self._look)

    def data_received(self, data: bytes) -> None:
        """Take what came, unless it is more than a head, or the framing of a body, may have."""
        self._received += len(data)
        super().data_received(data)
        if (
            self._received - FRAMING * self._body > MAX_HEAD_BYTES
            and not self.transport.is_closing()
        ):
            self._refuse(HeadTooLargeError(), "head_bytes")

    def pause_writing(self) -> None:
        """Note that the client does not read."""
        self._pauses += 1
        super().pause_writing()

    # Uvicorn's words are for its log
    def send_400_response(self, msg: str) -> None:  # noqa: ARG002
        """Answer what is no HTTP, and end."""
        self._refuse(
            MalformedRequestError("This is no request of HTTP/1.1 with a Host and one length."),
            "http",
        )

    def on_headers_complete(self) -> None:
        """Begin a request, by the short way where it may be for that and no other is under way."""
        self._requests += 1
        self._in_body = True
        self._received = self._body = 0
        headers, self.headers = self.headers, TRAILERS
        is_named = (bool(headers) and headers[0][0] == b"host") or any(
            name == b"host" for name, _ in headers
        )
        if not is_named and self.parser.get_http_version() == "1.1":
            raise ValueError("A request of HTTP/1.1 has a Host.")
        self._begin(headers)

    def _begin(self, headers: list[tuple[bytes, bytes]]) -> None:
        form = None
        if (
            self.cycle is None or self.cycle.response_complete
        ) and self.parser.get_method() == b"POST":
            form = cast("Gateway", self.app).short_form(self.url, headers)
        if form is None or self.parser.get_http_version() != "1.1" or self.flow.write_paused:
            super().on_headers_complete()
            return
        self._short = ShortCycle(
            form, self.url, self.scope, keep_alive=self.parser.should_keep_alive()
        )
        self.cycle = cast(
            "RequestResponseCycle", self._short
        )  # so it is for uvicorn, which lets others wait meanwhile

    def on_body(self, body: bytes) -> None:
        """Take a piece of a body."""
        self._body += len(body)
        if self._short is None:
            super().on_body(body)
        else:
            self._short.body += body

    def on_message_complete(self) -> None:
        """Answer a request by the short way, or call the application."""
        self._in_body = False
        self._received = self._body = 0
        short, self._short = self._short, None
        if short is None:
            super().on_message_complete()
            return

        def answer(document: bytes | None, request_id: bytes) -> None:
            self._answer(short, document, request_id)

        if not cast("Gateway", self.app).take(
            short.url, short.form, bytes(short.body), short.started, answer
        ):
            self._call(short)

    def on_response_complete(self) -> None:
        """Pass on the head of an answer without a body."""
        self.transport.write(b"")
        super().on_response_complete()

    def _answer(self, short: "ShortCycle", document: bytes | None, request_id: bytes) -> None:
        if short.disconnected:
            return
        if document is None:
            self._call(short)
            return
        more = b"".join([b"%b: %b\r\n" % header for header in self.server_state.default_headers])
        self.transport.write(
            OK % (len(document), request_id, more, b"" if short.keep_alive else CLOSE, document)
        )
        short.response_complete = True
        if not short.keep_alive:
            self.transport.close()
        super().on_response_complete()

    def _look(self) -> None:
        """End a connection whose client is too slow.

        To send a head or a body, to read its answer, to leave.
        """
        if self.parser is None:  # it has ended
            return
        now = self.loop.time()
        self.loop.call_later(LOOK_SECONDS, self._look)
        awaited = self._waits_for()
        if awaited != self._awaited:
            self._awaited, self._since = awaited, now
        seconds = now - self._since
        if awaited is None or seconds < WAIT_SECONDS:
            return
        what, _ = awaited
        if what in ("end", "reader"):
            cast("Gateway", self.app).limit_hit(what)
            self.transport.abort()
        elif what == "head" and not self._received:
            self.transport.close()  # it only kept the connection
        elif what == "head" or self._body < BODY_BYTES_PER_SECOND * seconds:
            self._refuse(RequestTimeoutError(), what)

    def _waits_for(self) -> tuple[str, int] | None:
        """Return what the client has to do next, and a number that changes when it does it, None
        where it is our turn.
        """
        if self.transport.is_closing():
            return "end", 0
        if self.flow.write_paused:
            return "reader", self._pauses
        if self._in_body:
            return None if self.flow.read_paused else ("body", self._requests)
        return (
            ("head", self._requests) if self.cycle is None or self.cycle.response_complete else None
        )

    def _refuse(self, error: ServiceError, limit: str) -> None:
        """End the connection, with an answer where none has begun."""
        answer = cast("Gateway", self.app).refusal(error, limit)
        if not getattr(self.cycle, "response_started", False) or self.cycle.response_complete:
            self.transport.write(answer)
        self.transport.close()

    def _call(self, short: "ShortCycle") -> None:
        """Call the application for a request that was read."""
        path, _, query = short.url.partition(b"?")
        short.scope.update(method="POST", path=path.decode(), raw_path=path, query_string=query)
        cycle = RequestResponseCycle(
            scope=short.scope,
            transport=self.transport,
            flow=self.flow,
            logger=self.logger,
            access_logger=self.access_logger,
            access_log=self.access_log,
            default_headers=self.server_state.default_headers,
            message_event=asyncio.Event(),
            expect_100_continue=False,
            keep_alive=short.keep_alive,
            on_response=self.on_response_complete,
        )
        cycle.body, cycle.more_body = short.body, False
        cycle.message_event.set()
        if self.cycle is cast("RequestResponseCycle", short):
            self.cycle = cycle
        self._start_asgi_task(cycle, self.app)


class Dropped(list[tuple[bytes, bytes]]):
    """Where the headers behind a body go: nobody reads them, and so they take no memory."""

    def append(self, _header: tuple[bytes, bytes]) -> None:
        """Forget a header."""


TRAILERS = Dropped()


class ShortCycle:
    """A request on the short way, in the place of uvicorn's cycle.

    What of that the protocol looks at is here, too.
    """

    __slots__ = (
        "body",
        "disconnected",
        "form",
        "keep_alive",
        "response_complete",
        "scope",
        "started",
        "url",
    )
    message_event: ClassVar[asyncio.Event] = asyncio.Event()  # nobody waits for it

    def __init__(
        self, form: "MultipartRequest", url: bytes, scope: Any, *, keep_alive: bool
    ) -> None:
        self.form = form
        self.url = url
        self.scope = scope
        self.keep_alive = keep_alive
        self.body = bytearray()
        self.started = time.perf_counter()
        self.response_complete = False
        self.disconnected = False


class JoinedWrites:
    """A transport that keeps the head of an answer until the next write, or the end."""

    def __init__(self, transport: asyncio.Transport) -> None:
        self._transport = transport
        self._head = b""
        self.is_closing = transport.is_closing

    def write(self, data: bytes) -> None:
        """Write, or keep what is a head."""
        if self._head:
            joined, self._head = self._head + data, b""
            self._transport.write(joined)
        elif data.endswith(HEAD_END) and data.startswith(HEAD) and not data.startswith(CONTINUE):
            self._head = data
        elif data:
            self._transport.write(data)

    def close(self) -> None:
        """Close, after what is kept."""
        self.write(b"")
        self._transport.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._transport, name)
