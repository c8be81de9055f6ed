"""HTTP client of a Unix socket: keeps connections, and costs a worker 14 us a request.

httpx takes 2,400 us, which predictions would miss.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field

import httptools

TIMEOUT_SECONDS = 30.0
MAX_IDLE = 32  # connections of a worker

Headers = list[tuple[bytes, bytes]]


class ConnectionLostError(Exception):
    """The server is missing, or left before the end of its response."""


@dataclass
class Response:
    """A whole response. The names of headers are in lower case."""

    status: int = 0
    headers: Headers = field(default_factory=list)
    body: bytearray = field(default_factory=bytearray)


class SocketClient:
    """Client of one socket, for the thread of one event loop."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._idle: list[_Connection] = []

    async def request(self, head: bytes, body: AsyncIterator[bytes]) -> Response:
        """Send a request and return its response. Raises ConnectionLostError.

        The head ends with an empty line. The body follows it as it is.
        """
        connection = await self._connect()
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS) as deadline:
                response = connection.begin(head)
                async for chunk in body:
                    await connection.write(chunk)
                    deadline.reschedule(asyncio.get_running_loop().time() + TIMEOUT_SECONDS)
                await response
        except TimeoutError as error:
            raise ConnectionLostError from error
        finally:
            if connection.is_reusable and len(self._idle) < MAX_IDLE:
                self._idle.append(connection)
            else:
                connection.close()
        return response.result()

    def close(self) -> None:
        """Close the idle connections."""
        while self._idle:
            self._idle.pop().close()

    async def _connect(self) -> "_Connection":
        while self._idle:
            connection = self._idle.pop()
            if connection.is_reusable:
                return connection
        try:
            _, connection = await asyncio.get_running_loop().create_unix_connection(
                _Connection, self._path
            )
        except OSError as error:
            raise ConnectionLostError from error
        return connection


class _Connection(asyncio.Protocol):
    """A connection with one request at a time."""

    def __init__(self) -> None:
        self._transport: asyncio.Transport | None = None
        self._parser: httptools.HttpResponseParser | None = None
        self._waiting: asyncio.Future[Response] | None = None
        self._response = Response()
        self._writable = asyncio.Event()
        self._writable.set()

    @property
    def is_reusable(self) -> bool:
        """Whether the connection is open, and its last request has been answered in full."""
        is_open = self._transport is not None and not self._transport.is_closing()
        return is_open and (self._waiting is None or _is_answered(self._waiting))

    def begin(self, head: bytes) -> "asyncio.Future[Response]":
        """Send the head of a request, and return the future response."""
        self._response, self._parser = Response(), httptools.HttpResponseParser(self)
        self._waiting = asyncio.get_running_loop().create_future()
        self._send(head)
        return self._waiting

    async def write(self, chunk: bytes) -> None:
        """Send a part of the body once the server has taken the earlier ones."""
        await self._writable.wait()
        self._send(chunk)

    def close(self) -> None:
        """Close the connection, whose request nothing waits for any more."""
        if self._waiting is not None and not self._waiting.cancel() and self._waiting.done():
            _is_answered(self._waiting)  # which also retrieves its exception
        if self._transport is not None:
            self._transport.abort()

    def _send(self, data: bytes) -> None:
        if self._transport is None or self._transport.is_closing():
            raise ConnectionLostError
        self._transport.write(data)

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Start."""
        self._transport = transport  # type: ignore[assignment]  # of a socket: a Transport

    def connection_lost(self, _error: Exception | None) -> None:
        """Fail the request that waits."""
        self._writable.set()
        self._fail()

    def data_received(self, data: bytes) -> None:
        """Parse a part of the response."""
        try:
            if self._parser is not None:
                self._parser.feed_data(data)
                return
        except httptools.HttpParserError:
            pass
        self._fail()  # not HTTP, or bytes without a request
        if self._transport is not None:
            self._transport.abort()

    def _fail(self) -> None:
        if self._waiting is not None and not self._waiting.done():
            self._waiting.set_exception(ConnectionLostError())

    def pause_writing(self) -> None:
        """Note that the server reads slowly."""
        self._writable.clear()

    def resume_writing(self) -> None:
        """Note that the server reads."""
        self._writable.set()

    # httptools

    def on_header(self, name: bytes, value: bytes) -> None:
        """Take a header."""
        self._response.headers.append((name.lower(), value))

    def on_body(self, body: bytes) -> None:
        """Take a part of the body."""
        self._response.body += body

    def on_message_complete(self) -> None:
        """End the request."""
        if self._parser is not None and self._waiting is not None and not self._waiting.done():
            self._response.status = self._parser.get_status_code()
            self._waiting.set_result(self._response)
        self._parser = None


def _is_answered(waiting: "asyncio.Future[Response]") -> bool:
    return waiting.done() and not waiting.cancelled() and waiting.exception() is None
