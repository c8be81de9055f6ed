"""HTTP protocol over a socket: direct requests, declined ones, and coalesced writes."""

import asyncio
import functools
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import pytest
import uvicorn
from starlette.types import Message, Receive, Scope, Send
from uvicorn.server import ServerState

from inference.drain import Drain
from inference.errors import ServiceError
from inference.server.http_protocol import HttpProtocol

DIRECT = b"POST /api/v1.0/inference?experiment_name=a HTTP/1.1\r\nhost: a\r\ncontent-length: 5\r\n"
OTHER = b"GET /other HTTP/1.1\r\nhost: a\r\n\r\n"
SECONDS = 5
OFFERS = {
    "java": b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEA\r\n",
    "tls": b"connection: upgrade\r\nupgrade: TLS/1.2\r\n",
    "websocket": b"UPGRADE: websocket, h2c\r\nCONNECTION: keep-alive, UPGRADE\r\n",
    "two fields": b"Connection: keep-alive\r\nUpgrade: a\r\nUpgrade: b\r\nConnection: Upgrade\r\n",
    "no upgrade": b"Connection: Upgrade\r\n",
    "no connection": b"Upgrade: h2c\r\n",
}
# Where a body or the end of a head could be taken for another request.
INNER = b"GET /inner HTTP/1.1\r\nhost: a\r\n\r\n"
RESPONSE = (
    b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n"
    b"x-request-id: an-id\r\ndate: today\r\n\r\n{}"
)


class FakeGateway:
    """A gateway that takes direct requests, which the test answers; it records ASGI calls."""

    def __init__(self, *, takes: bool = True) -> None:
        self._takes = takes
        self.drain = Drain()
        self.submissions: asyncio.Queue[Callable[[bytes | None, bytes], None]] = asyncio.Queue()
        self.called: list[tuple[str, str, bytes, bytes]] = []

    def admit(self, url: bytes, _head: object) -> Any:
        return object() if b"inference?" in url else None

    def submit(
        self,
        _request: object,
        _url: bytes,
        _body: bytes,
        _started: float,
        answer: Callable[[bytes | None, bytes], None],
    ) -> bool:
        if self._takes:
            self.submissions.put_nowait(answer)
        return self._takes

    def refuse(self, error: ServiceError, _limit: str, _url: bytes) -> bytes:
        return b"%d" % error.status

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        message: Message = {"more_body": True}
        body = b""
        while message.get("more_body"):
            message = await receive()
            body += message.get("body", b"")
        self.called.append((scope["method"], scope["path"], scope["query_string"], body))
        while scope["path"] == "/stream" and not scope.get("is_stopping"):
            await asyncio.sleep(0.01)
        if scope["path"] == "/empty":
            await send(
                {
                    "type": "http.response.start",
                    "status": 204,
                    "headers": [(b"content-length", b"0")],
                }
            )
            await send({"type": "http.response.body", "body": b""})
            return
        await send(
            {"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"6")]}
        )
        await send({"type": "http.response.body", "body": b"call", "more_body": True})
        await send({"type": "http.response.body", "body": b"ed"})


class Connection:
    """One connection to a gateway."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        protocols: list[HttpProtocol],
    ) -> None:
        self._reader, self.writer, self._protocols = reader, writer, protocols

    @property
    def protocol(self) -> HttpProtocol:
        return self._protocols[0]

    async def until(self, end: bytes) -> bytes:
        return await asyncio.wait_for(self._reader.readuntil(end), SECONDS)

    async def rest(self) -> bytes:
        return await asyncio.wait_for(self._reader.read(), SECONDS)


@asynccontextmanager
async def connected(gateway: FakeGateway) -> AsyncIterator[Connection]:
    config = uvicorn.Config(
        gateway,
        http=HttpProtocol,
        ws="none",
        log_config=None,
        access_log=False,
        proxy_headers=False,
        interface="asgi3",
    )
    config.load()
    state = ServerState()
    state.default_headers = [(b"date", b"today")]
    protocols: list[HttpProtocol] = []

    def protocol() -> HttpProtocol:
        protocols.append(HttpProtocol(config, state, {}))
        return protocols[-1]

    server = await asyncio.get_running_loop().create_server(protocol, "127.0.0.1", 0)
    reader, writer = await asyncio.open_connection("127.0.0.1", server.sockets[0].getsockname()[1])
    yield Connection(reader, writer, protocols)
    writer.close()
    server.close()
    await asyncio.wait_for(server.wait_closed(), SECONDS)


async def next_submission(gateway: FakeGateway) -> Callable[[bytes | None, bytes], None]:
    return await asyncio.wait_for(gateway.submissions.get(), SECONDS)


def run(
    test: Callable[[FakeGateway, Connection], Any], gateway: Callable[[], FakeGateway] = FakeGateway
) -> None:
    async def scenario() -> None:
        own = gateway()
        async with connected(own) as connection:
            await test(own, connection)

    asyncio.run(scenario())


def test_direct_request_is_answered_and_connection_stays_open() -> None:
    async def test(gateway: FakeGateway, connection: Connection) -> None:
        for _ in range(2):
            connection.writer.write(DIRECT + b"\r\nhello")
            (await next_submission(gateway))(b"{}", b"an-id")
            assert await connection.until(b"{}") == RESPONSE
        assert gateway.called == []
        assert connection.protocol.server_state.total_requests == 2

    run(test)


@pytest.mark.parametrize("is_taken_first", [False, True])
def test_declined_request_is_called_before_the_next(*, is_taken_first: bool) -> None:
    async def test(gateway: FakeGateway, connection: Connection) -> None:
        connection.writer.write(DIRECT + b"\r\nhello" + OTHER)
        if is_taken_first:
            (await next_submission(gateway))(None, b"an-id")
        answers = await connection.until(b"called") + await connection.until(b"called")
        assert answers.count(b"200 OK") == 2
        path = "/api/v1.0/inference"
        assert gateway.called == [
            ("POST", path, b"experiment_name=a", b"hello"),
            ("GET", "/other", b"", b""),
        ]

    run(test, functools.partial(FakeGateway, takes=is_taken_first))


def test_pipelined_requests_wait_for_the_direct_one() -> None:
    async def test(gateway: FakeGateway, connection: Connection) -> None:
        connection.writer.write(DIRECT + b"\r\nhello" + OTHER + DIRECT + b"\r\nhello")
        answer = await next_submission(gateway)
        await asyncio.sleep(0.05)
        assert gateway.called == []
        answer(b"{}", b"an-id")
        received = await connection.until(b"called") + await connection.until(b"called")
        assert received.index(b"{}") < received.index(b"called")

    run(test)


def test_disconnected_client_is_not_answered() -> None:
    async def test(gateway: FakeGateway, connection: Connection) -> None:
        for document in (b"{}", None):
            reader, writer = await asyncio.open_connection(
                *connection.writer.get_extra_info("peername")
            )
            writer.write(DIRECT + b"\r\nhello")
            answer = await next_submission(gateway)
            writer.close()
            await writer.wait_closed()
            assert await reader.read() == b""
            while len(connection.protocol.connections) > 1:
                await asyncio.sleep(0.01)
            answer(document, b"an-id")
            await asyncio.sleep(0.05)  # a call of the application would take a turn of the loop
        assert gateway.called == []
        assert connection.protocol.server_state.total_requests == 0

    run(test)


@pytest.mark.parametrize("is_closed_by_client", [True, False])
def test_closing_connection_ends_after_its_response(*, is_closed_by_client: bool) -> None:
    async def test(gateway: FakeGateway, connection: Connection) -> None:
        connection.writer.write(
            DIRECT + (b"connection: close\r\n" if is_closed_by_client else b"") + b"\r\nhello"
        )
        answer = await next_submission(gateway)
        if not is_closed_by_client:
            connection.protocol.shutdown()
        answer(b"{}", b"an-id")
        received = await connection.rest()
        assert received.endswith(b"{}")
        assert b"\r\nconnection: close\r\n" in received

    run(test)


def test_drain_closes_the_connection_after_the_response_in_progress() -> None:
    async def test(gateway: FakeGateway, connection: Connection) -> None:
        connection.writer.write(DIRECT + b"\r\nhello")
        answer = await next_submission(gateway)
        gateway.drain.is_active = True
        answer(b"{}", b"an-id")
        received = await connection.rest()
        assert received.endswith(b"{}")
        assert b"\r\nconnection: close\r\n" in received

    run(test)


def test_http_1_0_is_left_to_uvicorn() -> None:
    async def test(gateway: FakeGateway, connection: Connection) -> None:
        connection.writer.write(DIRECT.replace(b"HTTP/1.1", b"HTTP/1.0") + b"\r\nhello")
        assert (await connection.rest()).endswith(b"called")
        assert gateway.submissions.empty()

    run(test)


def test_empty_and_chunked_responses_arrive() -> None:
    async def test(_gateway: FakeGateway, connection: Connection) -> None:
        connection.writer.write(OTHER.replace(b"/other", b"/empty"))
        assert (await connection.until(b"\r\n\r\n")).startswith(b"HTTP/1.1 204 No Content\r\n")
        connection.writer.write(OTHER)
        assert (await connection.until(b"called")).endswith(b"\r\n\r\ncalled")

    run(test)


def test_head_and_start_of_body_are_one_write() -> None:
    written: list[bytes] = []

    async def test(_gateway: FakeGateway, connection: Connection) -> None:
        connection.writer.write(OTHER)
        await connection.until(b"called")
        # The transport that the coalescing one wraps.
        transport = connection.protocol.transport._transport  # type: ignore[attr-defined]
        write = transport.write

        def record(data: bytes) -> None:
            written.append(data)
            write(data)

        transport.write = record
        connection.writer.write(OTHER)
        await connection.until(b"called")

    run(test)
    assert [piece.startswith(b"HTTP/1.1 200") for piece in written] == [True, False]
    assert b"".join(written).endswith(b"\r\n\r\ncalled")


@pytest.mark.parametrize("piece_bytes", [None, 7, 1])
@pytest.mark.parametrize("offer", OFFERS.values(), ids=OFFERS)
def test_upgrade_offer_is_ignored(offer: bytes, piece_bytes: int | None) -> None:
    """RFC 9110, 7.8. Bodies, the next request, and the order of responses stay in step."""
    chunks = b"%x\r\n%b\r\n0\r\nUpgrade: h2c\r\n\r\n" % (len(INNER), INNER)
    data = b"".join(
        [
            OTHER[:-2] + offer + b"\r\n",
            DIRECT.replace(b"h: 5", b"h: %d" % len(INNER)) + offer + b"\r\n" + INNER,
            b"PUT /chunked HTTP/1.1\r\nhost: a\r\n" + offer,
            b"transfer-encoding: chunked\r\n\r\n" + chunks,
            b"POST /length HTTP/1.1\r\nhost: a\r\n" + offer,
            b"content-length: %d\r\n\r\n" % len(INNER) + INNER,
            OTHER,
        ]
    )

    async def test(gateway: FakeGateway, connection: Connection) -> None:
        size = piece_bytes or len(data)
        for start in range(0, len(data), size):
            connection.writer.write(data[start : start + size])
            await asyncio.sleep(0)
        for _ in range(5):
            await connection.until(b"called")
        assert gateway.called == [
            ("GET", "/other", b"", b""),
            ("POST", "/api/v1.0/inference", b"experiment_name=a", INNER),
            ("PUT", "/chunked", b"", INNER),
            ("POST", "/length", b"", INNER),
            ("GET", "/other", b"", b""),
        ]

    run(test, functools.partial(FakeGateway, takes=False))


@pytest.mark.parametrize("body_delay", [0.0, 0.05])
def test_upgrade_offer_leaves_the_fast_path_open(body_delay: float) -> None:
    async def test(gateway: FakeGateway, connection: Connection) -> None:
        for _ in range(2):
            connection.writer.write(DIRECT + OFFERS["java"] + b"\r\n")
            await asyncio.sleep(body_delay)
            connection.writer.write(b"hello")
            (await next_submission(gateway))(b"{}", b"an-id")
            assert await connection.until(b"{}") == RESPONSE
        assert gateway.called == []

    run(test)


@pytest.mark.parametrize(
    "head",
    [
        b"POST / HTTP/1.1\r\nhost: a\r\nConnection: close, Upgrade\r\n",
        b"POST / HTTP/1.0\r\nConnection: Upgrade\r\n",
    ],
)
def test_closing_request_with_upgrade_is_answered(head: bytes) -> None:
    async def test(gateway: FakeGateway, connection: Connection) -> None:
        connection.writer.write(head + b"Upgrade: h2c\r\nContent-Length: 5\r\n\r\nhello" + OTHER)
        answer = await connection.rest()
        assert answer.endswith(b"called")
        assert answer.count(b"HTTP/1.1 200 OK") == 1
        assert [body for *_, body in gateway.called] == [b"hello"]

    run(test)


OFFER = OFFERS["java"]


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"POST / HTTP/1.1\r\n" + OFFER + b"\r\n", 400),
        (b"POST / HTTP/1.1\r\nhost: a\r\n" + OFFER + b"Transfer-Encoding: gzip\r\n\r\n", 400),
        (b"CONNECT a:80 HTTP/1.1\r\nhost: a\r\n\r\n", 400),
        (b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03", 400),  # TLS
        (b"GET /other\r\nhost: a\r\n\r\n", 505),
        (b"GET /other HTTP/0.9\r\nhost: a\r\n\r\n", 505),
        (b"GET /other HTTP/1.2\r\nhost: a\r\n\r\n", 505),
        (b"GET /other HTTP/9.9\r\nhost: a\r\n\r\n", 505),
        (b"GET /other SIP/2.0\r\nhost: a\r\n\r\n", 400),
        (b"GET /other HTTP/2.0\r\nhost: a\r\n" + OFFER + b"\r\n", 505),
    ],
)
def test_other_protocols_are_refused(data: bytes, status: int) -> None:
    async def test(gateway: FakeGateway, connection: Connection) -> None:
        connection.writer.write(data + OTHER)
        assert await connection.rest() == b"%d" % status
        assert ("GET", "/other", b"", b"") not in gateway.called

    run(test)


def test_shutdown_asks_a_lasting_response_to_end() -> None:
    async def test(gateway: FakeGateway, connection: Connection) -> None:
        connection.writer.write(b"GET /stream HTTP/1.1\r\nHost: a\r\n\r\n")
        while not gateway.called:
            await asyncio.sleep(0.01)
        connection.protocol.shutdown()
        assert (await connection.rest()).endswith(b"called")

    run(test)


def test_shutdown_closes_a_connection_without_a_request() -> None:
    async def test(_gateway: FakeGateway, connection: Connection) -> None:
        while not connection._protocols:
            await asyncio.sleep(0.01)
        connection.protocol.shutdown()
        assert await connection.rest() == b""

    run(test)
