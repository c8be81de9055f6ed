"""ASGI client: asks an application directly, or over a socket of the service's HTTP protocol."""

import asyncio
import functools
import json
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote

import uvicorn
from starlette.types import ASGIApp, Message
from uvicorn.server import ServerState

from inference.server.http_protocol import HttpProtocol
from tests.corpus.http_requests.message import Request

# Fields that differ between two answers to the same request.
VOLATILE = {"milliseconds", "instance", "cached"}
TIMEOUT_SECONDS = 60


@dataclass(frozen=True)
class Answer:
    """A response.

    `documents` are the JSON of the body, or of each of its lines, without volatile fields. Of a
    body with binary tensors, they are its JSON and the bytes behind it. `model` is the version that
    answered, where a header names it.
    """

    status: int
    content_type: str
    retry_after: str | None
    documents: tuple[Any, ...]
    body: bytes
    model: str | None = None

    def __str__(self) -> str:
        return f"{self.status} {self.content_type} {self.body[:500]!r}"


Ask = Callable[[Request], Awaitable[Answer]]


@asynccontextmanager
async def running(app: ASGIApp) -> AsyncIterator[Ask]:
    """Run an application's lifespan, and yield a function that sends it requests."""
    inbox: asyncio.Queue[Message] = asyncio.Queue()
    outbox: asyncio.Queue[Message] = asyncio.Queue()
    state: dict[str, Any] = {}
    scope = {"type": "lifespan", "asgi": {"version": "3.0"}, "state": state}
    task = asyncio.ensure_future(app(scope, inbox.get, outbox.put))
    await inbox.put({"type": "lifespan.startup"})
    assert (await outbox.get())["type"] == "lifespan.startup.complete"

    async def ask(request: Request) -> Answer:
        return await _ask(app, request, state)

    yield ask
    await inbox.put({"type": "lifespan.shutdown"})
    assert (await outbox.get())["type"] == "lifespan.shutdown.complete"
    await task


@asynccontextmanager
async def listening(app: ASGIApp) -> AsyncIterator[int]:
    """Listen with the service's own protocol, and yield the port."""
    config = uvicorn.Config(
        app, http=HttpProtocol, ws="none", log_config=None, access_log=False, proxy_headers=False
    )
    config.load()
    state = ServerState()
    server = await asyncio.get_running_loop().create_server(
        functools.partial(HttpProtocol, config, state, {}), "127.0.0.1", 0
    )
    yield server.sockets[0].getsockname()[1]
    server.close()
    await server.wait_closed()
    async with asyncio.timeout(TIMEOUT_SECONDS):
        while state.connections:  # the service has not seen yet that the client left
            await asyncio.sleep(0.01)
    assert not state.tasks


async def ask_over_socket(port: int, requests: Sequence[Request]) -> list[Answer]:
    """Send requests over one connection without waiting, and return the answers."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for request in requests:
        data = request.on_wire()
        size = request.chunk_bytes or len(data)
        for start in range(0, len(data), size):
            writer.write(data[start : start + size])
            await asyncio.sleep(0)
    answers = [await asyncio.wait_for(_read_answer(reader), TIMEOUT_SECONDS) for _ in requests]
    writer.close()
    return answers


async def _ask(app: ASGIApp, request: Request, state: dict[str, Any]) -> Answer:
    raw_path, _, query = request.target.partition(b"?")
    scope = {
        "type": "http",
        "asgi": {"version": "3.0", "spec_version": "2.3"},
        "http_version": "1.1",
        "server": ("127.0.0.1", 9090),
        "client": ("127.0.0.1", 50000),
        "scheme": "http",
        "method": request.method,
        "root_path": "",
        "path": unquote(raw_path.decode("ascii")),
        "raw_path": raw_path,
        "query_string": query,
        "headers": list(request.headers),
        "state": dict(state),
    }
    incoming = _body_messages(request)
    answered = asyncio.Event()
    sent: list[Message] = []

    async def receive() -> Message:
        if incoming:
            return incoming.pop(0)
        await answered.wait()  # a client waits for its answer before it disconnects
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)
        if message["type"] == "http.response.body" and not message.get("more_body"):
            answered.set()

    await app(scope, receive, send)
    return _answer(sent)


def _body_messages(request: Request) -> list[Message]:
    size, body = request.chunk_bytes or max(1, len(request.body)), request.body
    chunks = [body[start : start + size] for start in range(0, len(body), size)] or [b""]
    messages: list[Message] = [
        {"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks
    ]
    if request.is_cut_off:
        messages.append({"type": "http.disconnect"})
    else:
        messages[-1]["more_body"] = False
    return messages


async def _read_answer(reader: asyncio.StreamReader) -> Answer:
    status_line, *lines = (await reader.readuntil(b"\r\n\r\n")).rstrip().split(b"\r\n")
    headers = [(name.lower(), value) for name, value in (line.split(b": ", 1) for line in lines)]
    length = dict(headers).get(b"content-length")
    if length is not None:
        body = await reader.readexactly(int(length))
    else:
        body = b""
        while size := int(await reader.readuntil(b"\r\n"), 16):
            body += await reader.readexactly(size)
            await reader.readexactly(2)
        await reader.readexactly(2)
    status = int(status_line.split(b" ")[1])
    return _answer([{"status": status, "headers": headers}, {"body": body}])


def _answer(sent: list[Message]) -> Answer:
    start, *rest = sent
    headers = {name.lower().decode(): value.decode() for name, value in start["headers"]}
    body = b"".join(message.get("body", b"") for message in rest)
    content_type = headers.get("content-type", "")
    lines = body.splitlines() if "json" in content_type else []  # JSON is one line, NDJSON many
    documents = tuple(_without_volatile(json.loads(line)) for line in lines)
    if (json_bytes := headers.get("inference-header-content-length")) is not None:
        documents = (json.loads(body[: int(json_bytes)]), body[int(json_bytes) :])
    retry_after, model = headers.get("retry-after"), headers.get("x-model-version")
    return Answer(start["status"], content_type, retry_after, documents, body, model)


def _without_volatile(value: Any) -> Any:
    if isinstance(value, dict):
        return {
            key: _without_volatile(inner) for key, inner in value.items() if key not in VOLATILE
        }
    return [_without_volatile(inner) for inner in value] if isinstance(value, list) else value
