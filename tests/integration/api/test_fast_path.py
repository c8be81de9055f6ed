"""The two lanes, as an ASGI server drives them and over a socket.

Whatever is asked, the fast one answers as Connexion does.
"""

import asyncio
import functools
import json
import re
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest
import uvicorn
from starlette.types import ASGIApp, Message
from uvicorn.server import ServerState

from inference.app import create_app
from inference.server.http_protocol import HttpProtocol
from inference.settings import from_environment
from tests.conftest import SHIPPED
from tests.corpus.http_requests.corpus import requests
from tests.corpus.http_requests.message import BASE, FAILING, FIRST, SECOND, Request
from tests.corpus.images import odd_images

REQUESTS = requests()
CORPUS = {request.name: request for request in REQUESTS}
PLAIN = [request for request in CORPUS.values() if request.is_plain]
# What differs between two answers to the same request, whoever gives them.
VOLATILE = {"milliseconds", "instance", "cached"}
MOST_ERROR_BYTES = 1024


@dataclass(frozen=True)
class Answer:
    """What came back.

    `documents` are the JSON of the body or of each of its lines, without what is volatile.
    """

    status: int
    content_type: str
    retry_after: str | None
    documents: tuple[Any, ...]
    body: bytes

    def __str__(self) -> str:
        return f"{self.status} {self.content_type} {self.body[:500]!r}"


Ask = Callable[[Request], Awaitable[Answer]]


@asynccontextmanager
async def running(app: ASGIApp) -> AsyncIterator[Ask]:
    """Run an application's lifespan and yield what asks it."""
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
    size = request.chunk_bytes or max(1, len(request.body))
    pieces = [
        request.body[start : start + size] for start in range(0, len(request.body), size)
    ] or [b""]
    incoming = [{"type": "http.request", "body": piece, "more_body": True} for piece in pieces]
    if request.is_cut_off:
        incoming.append({"type": "http.disconnect"})
    else:
        incoming[-1]["more_body"] = False
    answered = asyncio.Event()
    sent: list[Message] = []

    async def receive() -> Message:
        if incoming:
            return incoming.pop(0)
        await answered.wait()  # a caller waits for its answer before it goes
        return {"type": "http.disconnect"}

    async def send(message: Message) -> None:
        sent.append(message)
        if message["type"] == "http.response.body" and not message.get("more_body"):
            answered.set()

    await app(scope, receive, send)
    return _read(sent)


def _read(sent: list[Message]) -> Answer:
    start, *rest = sent
    headers = {name.lower().decode(): value.decode() for name, value in start["headers"]}
    body = b"".join(message.get("body", b"") for message in rest)
    content_type = headers.get("content-type", "")
    lines = body.splitlines() if "json" in content_type else []  # JSON is one line, NDJSON many
    documents = tuple(_lasting(json.loads(line)) for line in lines)
    return Answer(start["status"], content_type, headers.get("retry-after"), documents, body)


def _lasting(value: Any) -> Any:
    """Return a JSON value without its volatile parts."""
    if isinstance(value, dict):
        return {key: _lasting(inner) for key, inner in value.items() if key not in VOLATILE}
    return [_lasting(inner) for inner in value] if isinstance(value, list) else value


@dataclass(frozen=True)
class Lanes:
    """What both applications answered to each request, and how many of the requests `together` the
    fast lane took.
    """

    connexion: dict[str, Answer]
    fast: dict[str, Answer]
    together: dict[str, Answer]  # the plain requests once more, all at the same time
    after_a_broken_call: Answer
    taken: float
    taken_when_off: float
    wire: dict[str, Answer]  # what came over a socket of what can be said there
    wire_at_once: list[Answer]  # to the plain requests in one piece over one connection
    taken_on_wire: float


@pytest.fixture(scope="module")
def lanes(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lanes]:
    folder = tmp_path_factory.mktemp("lanes")
    for name in (FIRST, SECOND):
        shutil.copytree(SHIPPED / name, folder / "models" / name)
    (folder / "models" / FAILING).mkdir()
    (folder / "models" / FAILING / "card.json").write_text("{")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PGHOST", "127.0.0.1")
        patch.setenv("PGPORT", "9")  # no database: predictions go on without it
        yield asyncio.run(_compare(folder))


async def _compare(folder: Path) -> Lanes:
    def app(fast_path: str) -> ASGIApp:
        own = {
            "MODELS_DIR": str(folder / "models"),
            "COMPILED_DIR": str(folder / "compiled"),
            "JOURNAL_DIR": str(folder / "journal"),
        }
        return create_app(from_environment({**own, "FAST_PATH": fast_path}))

    fast_app = app("1")
    async with running(app("0")) as ask_connexion, running(fast_app) as ask_fast:
        connexion = {name: await ask_connexion(request) for name, request in CORPUS.items()}
        fast = {name: await ask_fast(request) for name, request in CORPUS.items()}
        taken_before = await _taken(ask_fast)
        answers = await asyncio.gather(*map(ask_fast, PLAIN))
        taken = await _taken(ask_fast) - taken_before
        together = {request.name: answer for request, answer in zip(PLAIN, answers, strict=True)}
        broken = await _break_off(ask_fast)
        before = await _taken(ask_fast)
        async with listening(fast_app) as port:
            wire = {
                request.name: (await _over_socket(port, [request]))[0]
                for request in CORPUS.values()
                if request.is_sendable
            }
            taken_on_wire = await _taken(ask_fast) - before
            at_once = await _over_socket(port, PLAIN)
        return Lanes(
            connexion,
            fast,
            together,
            broken,
            taken,
            await _taken(ask_connexion),
            wire,
            at_once,
            taken_on_wire,
        )


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
    assert not state.tasks


async def _over_socket(port: int, asked: Sequence[Request]) -> list[Answer]:
    """Send requests over one connection without waiting, and return the answers."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for request in asked:
        sent = request.on_wire()
        size = request.chunk_bytes or len(sent)
        for start in range(0, len(sent), size):
            writer.write(sent[start : start + size])
            await asyncio.sleep(0)
    answers = [await asyncio.wait_for(_next_answer(reader), timeout=60) for _ in asked]
    writer.close()
    return answers


async def _next_answer(reader: asyncio.StreamReader) -> Answer:
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
    return _read([{"status": int(status_line.split(b" ")[1]), "headers": headers}, {"body": body}])


async def _taken(ask: Ask) -> float:
    """Return how many requests the fast lane took, as the metrics say."""
    text = (await ask(Request("metrics", "GET", f"{BASE}/metrics".encode(), (), b""))).body.decode()
    return sum(
        float(value)
        for value in re.findall(
            r'^mlops_http_requests_total\{.*path="fast".*\} (\S+)$', text, re.MULTILINE
        )
    )


async def _break_off(ask: Ask) -> Answer:
    """Begin the plain requests, leave before they are answered, and ask another."""
    calls = [asyncio.ensure_future(ask(request)) for request in PLAIN]
    await asyncio.sleep(0)
    for call in calls:
        call.cancel()
    await asyncio.gather(*calls, return_exceptions=True)
    return await ask(replace(PLAIN[0], name="after"))


@pytest.mark.parametrize("name", CORPUS)
def test_both_lanes_give_the_same_answer(lanes: Lanes, name: str) -> None:
    connexion, fast = lanes.connexion[name], lanes.fast[name]
    assert replace(fast, body=b"") == replace(connexion, body=b""), f"{fast}\n{connexion}"


@pytest.mark.parametrize("name", CORPUS)
def test_a_request_gets_its_right_status_never_500_and_an_error_is_a_small_problem(
    lanes: Lanes, name: str
) -> None:
    answer, right = lanes.connexion[name], CORPUS[name].statuses
    assert answer.status in right if right else answer.status != 500, str(answer)
    if answer.status >= 400:
        assert (answer.content_type, len(answer.documents)) == ("application/problem+json", 1), str(
            answer
        )
        assert len(answer.body) <= MOST_ERROR_BYTES


def test_the_fast_lane_takes_what_ordinary_clients_send(lanes: Lanes) -> None:
    assert lanes.taken >= 0.8 * len(PLAIN)
    assert lanes.taken_when_off == 0


@pytest.mark.parametrize("name", [name for name, request in CORPUS.items() if request.is_sendable])
def test_what_comes_over_a_socket_is_answered_alike(lanes: Lanes, name: str) -> None:
    wire, fast = lanes.wire[name], lanes.fast[name]
    assert replace(wire, body=b"") == replace(fast, body=b""), f"{wire}\n{fast}"


def test_most_requests_can_be_said_over_a_socket_and_the_fast_lane_takes_the_plain_ones(
    lanes: Lanes,
) -> None:
    assert len(lanes.wire) >= 0.8 * len(CORPUS)
    assert lanes.taken_on_wire >= 0.8 * len(PLAIN)


def test_requests_sent_before_the_first_answer_came_are_answered_in_their_order(
    lanes: Lanes,
) -> None:
    assert [answer.documents for answer in lanes.wire_at_once] == [
        lanes.fast[request.name].documents for request in PLAIN
    ]


def test_many_requests_at_once_get_the_answers_that_they_get_alone(lanes: Lanes) -> None:
    assert {name: answer.documents for name, answer in lanes.together.items()} == {
        request.name: lanes.fast[request.name].documents for request in PLAIN
    }


def test_callers_that_leave_do_no_harm_to_the_next(lanes: Lanes) -> None:
    assert lanes.after_a_broken_call.documents == lanes.fast[PLAIN[0].name].documents


def test_an_image_in_a_call_of_many_gets_the_answer_that_it_gets_alone(lanes: Lanes) -> None:
    [document] = lanes.fast["predictions: every odd image in one call"].documents
    alone = [
        lanes.fast[f"predictions: {image.name}"].documents[0]["predictions"][0]
        for image in odd_images()
    ]
    together = document["predictions"]
    assert [{**entry, "index": 0} for entry in together] == alone
    assert [entry["index"] for entry in together] == list(range(len(together)))


def test_the_corpus_is_large_at_least_half_of_it_odd_and_no_name_is_given_twice() -> None:
    assert len(CORPUS) >= 320
    assert len(PLAIN) <= len(CORPUS) / 2
    assert len(CORPUS) == len(REQUESTS)
