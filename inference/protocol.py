"""uvicorn's HTTP, with a short way for POST /inference, and the head of an answer and the beginning of its body in one write.

What ASGI needs for a request, a task, an event, a scope and four messages, takes longer than the model. So a plain request of
POST /inference goes from the parser to the fast lane, which may still decline it: then it is called as every other. And uvicorn
writes the head and the body of an answer one after the other: a second system call, packet and wake-up of the client.
"""

import asyncio
import time
from typing import TYPE_CHECKING, Any, ClassVar, cast

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

if TYPE_CHECKING:  # the parent of the workers needs none of what it imports
    from inference.forms import PlainForm
    from inference.requests import RequestLayer

HEAD, CONTINUE, HEAD_END = b"HTTP/1.1 ", b"HTTP/1.1 100 ", b"\r\n\r\n"
OK = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: %d\r\nx-request-id: %b\r\n%b%b\r\n%b"
CLOSE = b"connection: close\r\n"


class Protocol(HttpToolsProtocol):
    """One connection."""

    _short: "ShortCycle | None" = None  # whose body is being read

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as in uvicorn
        """Begin."""
        super().connection_made(cast("asyncio.Transport", JoinedWrites(transport)))

    def on_headers_complete(self) -> None:
        """Begin a request, by the short way where it may be for that and no other is under way."""
        form = None
        if (self.cycle is None or self.cycle.response_complete) and self.parser.get_method() == b"POST":
            form = cast("RequestLayer", self.app).inference_form(self.url, self.headers)
        if form is None or self.parser.get_http_version() != "1.1" or self.flow.write_paused:
            super().on_headers_complete()
            return
        self._short = ShortCycle(form, self.url, self.scope, keep_alive=self.parser.should_keep_alive())
        self.cycle = cast("RequestResponseCycle", self._short)  # so it is for uvicorn, which lets others wait meanwhile

    def on_body(self, body: bytes) -> None:
        """Take a piece of a body."""
        if self._short is None:
            super().on_body(body)
        else:
            self._short.body += body

    def on_message_complete(self) -> None:
        """Answer a request by the short way, or call the application."""
        short, self._short = self._short, None
        if short is None:
            super().on_message_complete()
            return

        def answer(document: bytes | None, own_id: bytes) -> None:
            self._answer(short, document, own_id)

        if not cast("RequestLayer", self.app).infer(short.form, bytes(short.body), short.started, answer):
            self._call(short)

    def on_response_complete(self) -> None:
        """Pass on the head of an answer without a body."""
        self.transport.write(b"")
        super().on_response_complete()

    def _answer(self, short: "ShortCycle", document: bytes | None, own_id: bytes) -> None:
        if short.disconnected:
            return
        if document is None:
            self._call(short)
            return
        more = b"".join([b"%b: %b\r\n" % header for header in self.server_state.default_headers])
        self.transport.write(OK % (len(document), own_id, more, b"" if short.keep_alive else CLOSE, document))
        short.response_complete = True
        if not short.keep_alive:
            self.transport.close()
        super().on_response_complete()

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


class ShortCycle:
    """A request on the short way, in the place of uvicorn's cycle: what of that the protocol looks at is here, too."""

    __slots__ = ("body", "disconnected", "form", "keep_alive", "response_complete", "scope", "started", "url")
    message_event: ClassVar[asyncio.Event] = asyncio.Event()  # nobody waits for it

    def __init__(self, form: "PlainForm", url: bytes, scope: Any, *, keep_alive: bool) -> None:
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
