"""Protocol of the tracking process: a response is one write."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
import uvicorn

from tracking.http_protocol import HttpProtocol

RESPONSES = {"/text": b"text", "/empty": b""}


async def application(scope: Any, _receive: Any, send: Any) -> None:
    body = RESPONSES[scope["path"]]
    headers = [(b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


class Client(asyncio.Protocol):
    """Keeps the pieces that arrive."""

    def __init__(self) -> None:
        self.pieces: list[bytes] = []
        self.has_all = asyncio.Event()

    def data_received(self, data: bytes) -> None:
        self.pieces.append(data)
        if b"\r\n\r\n" in b"".join(self.pieces):
            self.has_all.set()


async def exchange(path: Path, target: str) -> list[bytes]:
    """Return the pieces of a response as they arrive over a Unix socket."""
    config = uvicorn.Config(
        application, uds=str(path), http=HttpProtocol, ws="none", lifespan="off", log_config=None
    )
    server = uvicorn.Server(config)
    serving = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    loop = asyncio.get_running_loop()
    transport, client = await loop.create_unix_connection(Client, str(path))
    transport.write(f"GET {target} HTTP/1.1\r\nhost: tracking\r\n\r\n".encode())
    await asyncio.wait_for(client.has_all.wait(), 30)
    transport.close()
    server.should_exit = True
    await serving
    return client.pieces


@pytest.mark.parametrize(("target", "body"), RESPONSES.items())
def test_response_arrives_in_one_piece(tmp_path: Path, target: str, body: bytes) -> None:
    [piece] = asyncio.run(exchange(tmp_path / "socket", target))
    assert piece.startswith(b"HTTP/1.1 200 OK\r\n")
    assert piece.endswith(b"\r\n\r\n" + body)
