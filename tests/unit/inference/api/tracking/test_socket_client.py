"""HTTP client of a Unix socket against small servers."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from inference.api.tracking import socket_client
from inference.api.tracking.socket_client import ConnectionLostError, SocketClient

HEAD = b"POST /x HTTP/1.1\r\nhost: a\r\ncontent-length: 4\r\n\r\n"
ANSWER = b"HTTP/1.1 201 Created\r\nContent-Type: a/b\r\ncontent-length: 3\r\n\r\nabc"
Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


async def chunks(*parts: bytes) -> AsyncIterator[bytes]:
    for part in parts:
        yield part


@contextlib.contextmanager
def no_log(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """Fail if asyncio logs an exception that nothing has retrieved."""
    yield
    assert [record for record in caplog.records if record.name == "asyncio"] == []


def run(path: Path, serve: Serve, work: Callable[[SocketClient], Awaitable[None]]) -> None:
    handling: set[asyncio.Task[None] | None] = set()

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        handling.add(asyncio.current_task())
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            await serve(reader, writer)
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()

    async def main() -> None:
        async with await asyncio.start_unix_server(handle, path):
            client = SocketClient(str(path))
            await work(client)
            client.close()
            await asyncio.wait([task for task in handling if task is not None])

    asyncio.run(main())


def test_request_keeps_its_connection(tmp_path: Path) -> None:
    connections: list[bytes] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(b"")
        with contextlib.suppress(asyncio.IncompleteReadError):
            while True:
                connections[-1] += await reader.readexactly(len(HEAD) + 4)
                writer.write(ANSWER[:30])
                await asyncio.sleep(0.01)
                writer.write(ANSWER[30:])

    async def work(client: SocketClient) -> None:
        for _ in range(2):
            response = await client.request(HEAD, chunks(b"12", b"34"))
            assert (response.status, bytes(response.body)) == (201, b"abc")
            assert response.headers[0] == (b"content-type", b"a/b")

    run(tmp_path / "s", serve, work)
    assert connections == [2 * (HEAD + b"1234")]


def test_request_without_a_server_fails(tmp_path: Path) -> None:
    with pytest.raises(ConnectionLostError):
        asyncio.run(_request(SocketClient(str(tmp_path / "none"))))


@pytest.mark.parametrize("part", [b"", ANSWER[:40], b"no http at all\r\n\r\n"])
def test_request_of_a_server_that_leaves_fails(
    tmp_path: Path, part: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readexactly(len(HEAD))
        writer.write(part)
        writer.close()

    async def work(client: SocketClient) -> None:
        with pytest.raises(ConnectionLostError):
            await _request(client)

    with no_log(caplog):
        run(tmp_path / "s", serve, work)


def test_request_of_a_frozen_server_fails(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket_client, "TIMEOUT_SECONDS", 0.05)

    async def serve(reader: asyncio.StreamReader, _writer: asyncio.StreamWriter) -> None:
        await reader.read()

    async def work(client: SocketClient) -> None:
        with pytest.raises(ConnectionLostError):
            await _request(client)

    run(tmp_path / "s", serve, work)


def test_large_body_waits_for_the_server(tmp_path: Path) -> None:
    size = 8 * 2**20
    head = HEAD.replace(b" 4\r\n", b" %d\r\n" % size)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.05)
        body = await reader.readexactly(len(head) + size)
        writer.write(ANSWER if len(body) == len(head) + size else b"")

    async def work(client: SocketClient) -> None:
        response = await client.request(head, chunks(*[bytes(2**20)] * 8))
        assert response.status == 201

    run(tmp_path / "s", serve, work)


async def _request(client: SocketClient) -> None:
    await client.request(HEAD, chunks(b"1234"))
