"""Fast path of tensors: whatever is asked, it answers as the ordinary path does."""

import asyncio
import json
import math
import re
import shutil
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.types import ASGIApp

from inference.app import create_app
from inference.settings import from_environment
from tests.conftest import SHIPPED
from tests.corpus.http_requests.message import BASE, FAILING, FIRST, SECOND, Request
from tests.support.asgi_client import Answer, Ask, ask_over_socket, listening, running
from tests.support.protocol_images import DTYPES, SIDES

METRICS = Request("metrics", "GET", f"{BASE}/metrics".encode(), (), b"")
LENGTH = b"inference-header-content-length"
FORBIDDEN = 403
OCTETS = b"application/octet-stream"
differential = settings(
    max_examples=300,
    deadline=None,
    derandomize=True,
    database=None,
    suppress_health_check=list(HealthCheck),
)


@dataclass
class Pair:
    """A service without the fast path, asked by ASGI, and one with it, asked over a socket."""

    runner: asyncio.Runner
    ordinary: Ask
    fast: Ask
    port: int

    def ask_ordinary(self, request: Request) -> Answer:
        return self.runner.run(_awaited(self.ordinary, request))

    def ask_fast(self, request: Request) -> Answer:
        return self.runner.run(_awaited(self.fast, request))

    def ask_over_socket(self, *requests: Request) -> list[Answer]:
        return self.runner.run(ask_over_socket(self.port, requests))

    def ask_at_once(self, requests: list[Request]) -> list[Answer]:
        async def gather() -> list[Answer]:
            return list(await asyncio.gather(*map(self.fast, requests)))

        return self.runner.run(gather())

    def fast_count(self, ask: Ask | None = None) -> float:
        """Return how many requests the fast path has answered."""
        text = self.runner.run(_awaited(ask or self.fast, METRICS)).body.decode()
        pattern = r'^mlops_http_requests_total\{.*path="fast".*\} (\S+)$'
        return sum(map(float, re.findall(pattern, text, re.MULTILINE)))


async def _awaited(ask: Ask, request: Request) -> Answer:
    return await ask(request)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pair]:
    folder = tmp_path_factory.mktemp("fast")
    for name in (FIRST, SECOND):
        shutil.copytree(SHIPPED / name, folder / "models" / name)
    (folder / "models" / FAILING).mkdir()
    (folder / "models" / FAILING / "card.json").write_text("{")
    with pytest.MonkeyPatch.context() as patch, asyncio.Runner() as runner:
        patch.setenv("PGPORT", "9")  # no database: predictions work without it
        stack = AsyncExitStack()
        fast_app = _app(folder, "1")
        ordinary = runner.run(stack.enter_async_context(running(_app(folder, "0"))))
        fast = runner.run(stack.enter_async_context(running(fast_app)))
        port = runner.run(stack.enter_async_context(listening(fast_app)))
        yield Pair(runner, ordinary, fast, port)
        runner.run(stack.aclose())


def _app(folder: Path, fast_path: str) -> ASGIApp:
    directories = ("models", "compiled", "journal")
    variables = {f"{name.upper()}_DIR": str(folder / name) for name in directories}
    return create_app(from_environment({**variables, "FAST_PATH": fast_path}))


@dataclass(frozen=True)
class Drawn:
    """A drawn request, and the parts of it that a failure shows."""

    request: Request = field(repr=False)
    line: str
    headers: tuple[tuple[bytes, bytes], ...]
    json: str


class Choices:
    """Draws the aspects of a request: usual ones, and odd ones of at most two aspects."""

    def __init__(self, draw: st.DrawFn) -> None:
        self._draw = draw
        self._odd = draw(st.sets(st.sampled_from([*ODD, *([None] * len(ODD))]), max_size=2))

    def pick(self, aspect: str) -> Any:
        """Return a value of an aspect."""
        values = ODD[aspect] if aspect in self._odd else USUAL[aspect]
        return self._draw(st.sampled_from(values))

    def shuffle(self, members: dict[str, Any]) -> dict[str, Any]:
        """Return members in another order."""
        return {name: members[name] for name in self._draw(st.permutations(list(members)))}


# tritonclient sends the sign @ of a name percent-encoded.
QUOTED = "mnist%40champion"
NAMES = [FIRST, SECOND, f"{FIRST}/versions/1", f"{FIRST}@1", "mnist@champion", QUOTED]
PROBABILITIES: dict[str, Any] = {"name": "probabilities"}
# An absent value is ABSENT. None is JSON's null.
ABSENT: Any = object()
USUAL: dict[str, Sequence[Any]] = {
    "method": ["POST"],
    "name": NAMES,
    "query": [b""],
    "datatype": ["UINT8", "FP32", *DTYPES],
    "count": [1, 2, 3, 17, 70],
    "sides": [*SIDES.values()],
    "defect": [0],
    "cut": [0],
    "claim": [0],
    "scale": [ABSENT, ABSENT, 1, 255, 255.0],
    "input": ["image"],
    "id": [ABSENT, "", "a", "\u00e9\u2028"],
    "parameters": [
        ABSENT,
        {},
        {"binary_data_output": True},
        {"binary_data_output": True, "unknown": [1]},
        {"binary_data_output": False},
    ],
    "outputs": [
        ABSENT,
        [],
        [PROBABILITIES],
        [{**PROBABILITIES, "parameters": {"binary_data": True}}],
        [{**PROBABILITIES, "parameters": {"binary_data": False}}],
        [{**PROBABILITIES, "parameters": {"classification": 3}}],
    ],
    "unknown": [ABSENT, 1, {"inputs": []}],
    "indent": [None, 1],
    "tail": [b"", b"\n "],
    "header": ["exact"],
    "headers": [
        (),
        ((b"content-type", OCTETS),),
        ((b"content-type", OCTETS), (b"accept", b"*/*")),
        ((b"accept-encoding", b"gzip, deflate, br"), (b"connection", b"keep-alive")),
        ((b"x-request-id", b"mine-1"),),
    ],
}
ODD: dict[str, Sequence[Any]] = {
    "method": ["PUT", "GET", "DELETE"],
    "name": [
        f"{FIRST}/versions/01",
        f"{FIRST}/versions/9",
        f"{FIRST}/versions/1a",
        f"{FIRST}/versions/1234567890",
        f"{FIRST}@9",
        f"{FIRST}@champion",
        FAILING,
        "unknown",
        "all",
        "%6Dnist@champion",
        f"{FIRST}%2F",
        f"{FIRST}//",
    ],
    "query": [b"?", b"?a=1"],
    "datatype": ["BOOL", "BYTES", "uint8", 1, None],
    "count": [0, 1001],
    "sides": [(784, 1), (14, 56), (28,), (-1, 784), (28.0, 28), ()],
    "defect": [math.nan, math.inf, -1.0, 256.0, 0.5, 255.5],
    "cut": [1, 784],
    "claim": [1, -1, True, "784", None],
    "scale": ["255", True, 2, 0, None],
    "input": ["other", None],
    "id": ["x" * 2000, 7, None],
    "parameters": [{"binary_data_output": 1}, {"scale": 255}, {"scale": 7}, [], None],
    "outputs": [
        [{**PROBABILITIES, "parameters": {"classification": 0}}],
        [{**PROBABILITIES, "parameters": {"classification": -1}}],
        [{**PROBABILITIES, "parameters": {"binary_data": 1}}],
        [{"name": "other"}],
        [{}],
        [PROBABILITIES, PROBABILITIES],
        None,
    ],
    "unknown": [math.nan],
    "indent": ["\t", "x"],
    "tail": [b"}", b"\0"],
    "header": ["shorter", "longer", "0", "", "+1", "1e3", "twice"],
    "headers": [
        ((b"content-type", b"application/json"),),
        ((b"content-type", b"application/octet-stream; a=b"),),
        ((b"content-encoding", b"identity"),),
        ((b"content-encoding", b"gzip"),),
        ((b"accept", b"text/html"),),
        ((b"x-unknown", b"1"),),
        ((b"host", b"evil.example"),),
        ((b"origin", b"https://evil.example"),),
    ],
}


@st.composite
def binary_requests(draw: st.DrawFn) -> Drawn:
    """Draw a request with a binary tensor: good, odd or hostile."""
    choices = Choices(draw)
    tensor, data = _tensor(choices, seed=draw(st.integers(0, 9)))
    members = {"inputs": [tensor]}
    for name in ("id", "parameters", "outputs", "unknown"):
        if (value := choices.pick(name)) is not ABSENT:
            members[name] = value
    document = json.dumps(
        choices.shuffle(members), indent=choices.pick("indent"), ensure_ascii=draw(st.booleans())
    )
    head = document.encode() + choices.pick("tail")
    headers = [*_lengths(choices.pick("header"), len(head)), *choices.pick("headers")]
    if not any(name == b"host" for name, _ in headers):
        headers.append((b"host", b"127.0.0.1:9090"))
    body = head + data
    headers.append((b"content-length", b"%d" % len(body)))
    request = Request(
        "drawn",
        choices.pick("method"),
        f"/v2/models/{choices.pick('name')}/infer".encode() + choices.pick("query"),
        tuple(draw(st.permutations(headers))),
        body,
        chunk_bytes=draw(st.sampled_from([None, 1000])),
    )
    line = f"{request.method} {request.target.decode()}, {len(data)} bytes of {tensor}"
    return Drawn(request, line, request.headers, head.decode())


def _tensor(choices: Choices, seed: int) -> tuple[dict[str, Any], bytes]:
    """Return an input and its tensor."""
    datatype, count, scale = (choices.pick(name) for name in ("datatype", "count", "scale"))
    dtype = np.dtype(DTYPES.get(datatype, "u1") if isinstance(datatype, str) else "u1")
    pixels = np.random.default_rng(seed).integers(0, 256, (count, 784))
    if datatype == "INT8":
        pixels //= 2
    if scale in (255, 255.0) and dtype.kind != "f":
        pixels //= 255
    typed = (pixels / 255 if scale in (255, 255.0) and dtype.kind == "f" else pixels).astype(dtype)
    if (defect := choices.pick("defect")) and dtype.kind == "f" and count:
        typed[-1, seed] = defect
    data = typed.tobytes()
    data = data[: len(data) - choices.pick("cut")]
    claim = choices.pick("claim")
    size = len(data) + claim if type(claim) is int else claim
    parameters = {"binary_data_size": size, **({} if scale is ABSENT else {"scale": scale})}
    members = {
        "name": choices.pick("input"),
        "datatype": datatype,
        "shape": [count, *choices.pick("sides")],
        "parameters": parameters,
    }
    return choices.shuffle(members), data


def _lengths(kind: str, length: int) -> list[tuple[bytes, bytes]]:
    """Return the headers that state the length of the JSON."""
    exact = (LENGTH, b"%d" % length)
    deltas = {"exact": 0, "shorter": -1, "longer": 1}
    if kind == "twice":
        return [exact, (LENGTH, b"10")]
    if kind in deltas:
        return [(LENGTH, b"%d" % (length + deltas[kind]))]
    return [(LENGTH, kind.encode())] if kind else []


def plain(name: str, count: int, datatype: str, *, with_id: bool) -> Request:
    """Return a request as tritonclient sends it."""
    pixels = np.random.default_rng(count).integers(0, 256, (count, 28, 28), np.uint8)
    data = pixels.astype(DTYPES[datatype]).tobytes()
    tensor = {
        "name": "image",
        "shape": [count, 28, 28],
        "datatype": datatype,
        "parameters": {"binary_data_size": len(data)},
    }
    document = {
        **({"id": f"{count}"} if with_id else {}),
        "inputs": [tensor],
        "parameters": {"binary_data_output": True},
    }
    head = json.dumps(document, separators=(",", ":")).encode()
    headers = (
        (b"user-agent", b"python/gevent-http-client-2.6.1"),
        (LENGTH, b"%d" % len(head)),
        (b"host", b"127.0.0.1:9090"),
        (b"content-length", b"%d" % (len(head) + len(data))),
    )
    target = f"/v2/models/{name}/infer".encode()
    return Request(f"{name} {count} {datatype} {with_id}", "POST", target, headers, head + data)


def plain_json(name: str, count: int, content_type: bytes, *, is_infer: bool) -> Request:
    """Return a request as curl and KServe's client send it."""
    pixels = np.random.default_rng(count).integers(0, 256, (count, 28, 28), np.uint8).tolist()
    tensor = {"name": "image", "shape": [count, 28, 28], "datatype": "UINT8", "data": pixels}
    document = {"inputs": [tensor]} if is_infer else {"instances": pixels}
    body = json.dumps(document).encode()
    headers = (
        (b"content-type", content_type),
        (b"host", b"127.0.0.1:9090"),
        (b"content-length", b"%d" % len(body)),
    )
    target = f"/v2/models/{name}/infer" if is_infer else f"/v1/models/{name}:predict"
    return Request(f"{name} {count} {is_infer}", "POST", target.encode(), headers, body)


NAMED = (FIRST, SECOND, f"{FIRST}/versions/1", QUOTED)
PLAIN = [
    *(
        plain(name, count, datatype, with_id=with_id)
        for name in NAMED
        for count in (1, 2, 7)
        for datatype in ("UINT8", "FP32")
        for with_id in (False, True)
    ),
    *(
        plain_json(name, count, content_type, is_infer=is_infer)
        for name in NAMED
        for count in (1, 2)
        for content_type in (b"application/json", b"application/x-www-form-urlencoded")
        for is_infer in (False, True)
    ),
]


def without_body(answer: Answer) -> Answer:
    return replace(answer, body=b"")


@differential
@given(drawn=binary_requests())
def test_both_paths_give_the_same_answer(pair: Pair, drawn: Drawn) -> None:
    request = drawn.request
    expected = pair.ask_ordinary(request)
    assert expected.status < 500 or b"/failing/" in request.target, str(expected)
    answers = [pair.ask_fast(request)]
    # A connection that the service closes before it has read the body may lose the response.
    if request.is_sendable and expected.status != FORBIDDEN:
        answers += pair.ask_over_socket(request)
    for answer in answers:
        assert without_body(answer) == without_body(expected), f"{answer}\n{expected}\n{drawn}"


def test_plain_requests_take_the_fast_path(pair: Pair) -> None:
    expected = [pair.ask_ordinary(request) for request in PLAIN]
    assert {answer.status for answer in expected} == {200}
    before = pair.fast_count()
    assert [pair.ask_over_socket(request)[0] for request in PLAIN] == expected
    assert pair.fast_count() - before == len(PLAIN)
    assert pair.fast_count(pair.ordinary) == 0


def test_concurrent_and_pipelined_requests_get_their_own_answers(pair: Pair) -> None:
    expected = [pair.ask_ordinary(request) for request in PLAIN]
    assert pair.ask_at_once(PLAIN) == expected
    assert pair.ask_over_socket(*PLAIN) == expected
