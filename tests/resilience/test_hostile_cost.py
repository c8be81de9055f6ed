"""Cost of refused requests: bytes of the answer, time and peak memory."""

import contextlib
import http.client
import socket
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import psutil
import pytest

from tests.corpus.http_requests.corpus import requests
from tests.corpus.http_requests.message import (
    BASE,
    DIGIT,
    FIRST,
    INFERENCE,
    JSON,
    PREDICTIONS,
    Request,
    form,
    part,
    post,
)
from tests.corpus.images import png
from tests.resilience.stack import FaultyStack, milliseconds, print_figure

MAX_ANSWER_BYTES = 1024
MAX_MEMORY_BYTES = 64 * 2**20
LARGE_BYTES = 15 * 2**20
TIMEOUT_SECONDS = 60
HEALTH_SECONDS = 0.005

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        sys.platform != "linux", reason="only Linux reports the peak memory of a process"
    ),
]


class Cost(NamedTuple):
    """The cost of one request."""

    status: int
    answer_bytes: int
    seconds: float
    memory_bytes: int


def large() -> Iterator[Request]:
    """Requests of the maximum size, which are refused only after they have been read."""
    half = png(after=b"\x00" * 2**20)
    yield post(
        "15 MB of one image",
        PREDICTIONS,
        form(part("images", b"\x89PNG" + b"\x00" * LARGE_BYTES)),
        200,
    )
    yield post(
        "15 MB without an end",
        PREDICTIONS,
        form(part("images", b"\x00" * LARGE_BYTES), end=b""),
        400,
    )
    yield post("15 MB in the wrong field", PREDICTIONS, form(*[part("other", half)] * 14), 400)
    yield post(
        "15 MB to the other operation", INFERENCE, form(*[part("image_blob", half)] * 14), 400
    )
    yield post(
        "15 MB for an unknown experiment",
        PREDICTIONS,
        form(*[part("images", half)] * 14),
        404,
        query=b"experiments=unknown",
    )
    yield post("15 MB of parts", PREDICTIONS, form(*[part("images", DIGIT)] * 40_000), 400, 413)
    yield post(
        "15 MB of JSON text",
        PREDICTIONS,
        b'{"images": "' + b"x" * LARGE_BYTES + b'"}',
        400,
        422,
        content_type=JSON,
    )
    yield post(
        "15 MB of JSON numbers",
        PREDICTIONS,
        b'{"images": ' + b"1" * LARGE_BYTES + b"}",
        400,
        422,
        content_type=JSON,
    )
    yield post(
        "15 MB of JSON objects",
        PREDICTIONS,
        b'{"images": [' + b'{"a":1},' * 1_900_000 + b"1]}",
        413,
        content_type=JSON,
    )
    yield post("15 MB of JSON blanks", PREDICTIONS, b" " * LARGE_BYTES, 400, content_type=JSON)


def ask(stack: FaultyStack, request: Request, workers: list[psutil.Process]) -> Cost:
    """Send a request over a new connection, and measure its cost to the workers."""
    before = []
    for worker in workers:
        Path(f"/proc/{worker.pid}/clear_refs").write_text("5")  # resets the peak
        before.append(worker.memory_info().rss)
    started = time.perf_counter()
    with socket.create_connection(("127.0.0.1", stack.port), timeout=TIMEOUT_SECONDS) as connection:
        with contextlib.suppress(OSError):  # the answer may precede the end of the request
            connection.sendall(request.on_wire())
        answer = http.client.HTTPResponse(connection, method=request.method)
        answer.begin()
        body = answer.read()
    seconds = time.perf_counter() - started
    grown = max(_peak(worker) - rss for worker, rss in zip(workers, before, strict=True))
    return Cost(answer.status, len(body), seconds, grown)


@contextlib.contextmanager
def health(stack: FaultyStack) -> Iterator[list[float]]:
    """Request /healthz continuously, and yield the seconds of request answer."""
    seconds: list[float] = []
    ended = threading.Event()

    def ask_health() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", stack.port, timeout=TIMEOUT_SECONDS)
        while not ended.wait(HEALTH_SECONDS):
            started = time.perf_counter()
            connection.request("GET", f"{BASE}/healthz")
            assert connection.getresponse().read()
            seconds.append(time.perf_counter() - started)
        connection.close()

    thread = threading.Thread(target=ask_health)
    thread.start()
    yield seconds
    ended.set()
    thread.join()


def _peak(worker: psutil.Process) -> int:
    [line] = [
        line
        for line in Path(f"/proc/{worker.pid}/status").read_text().splitlines()
        if line.startswith("VmHWM")
    ]
    return int(line.split()[1]) * 1024


def test_refused_requests_cost_little(stack: FaultyStack) -> None:
    workers = stack.listeners()
    known = FIRST.encode()
    corpus = [
        request
        for request in requests()
        if request.is_sendable
        and known in request.target
        and (not request.statuses or min(request.statuses) >= 400)
    ]
    with health(stack) as health_seconds:
        costs = {request.name: ask(stack, request, workers) for request in (*corpus, *large())}
    refused = {name: cost for name, cost in costs.items() if cost.status >= 400}
    assert len(refused) > 130
    for name, index in (("bytes", 1), ("seconds", 2), ("memory", 3)):
        worst = sorted(refused.items(), key=lambda item: item[1][index], reverse=True)[:4]
        print_figure(
            f"most {name} of {len(refused)} refused requests",
            "; ".join(f"{own}: {cost[index]:.6g}" for own, cost in worst),
        )
    health_p99 = sorted(health_seconds)[int(0.99 * len(health_seconds))]
    print_figure(
        "p99 of /healthz meanwhile", f"{milliseconds(health_p99)} of {len(health_seconds)}"
    )
    assert [name for name, cost in costs.items() if cost.status >= 500] == []
    assert {
        name: cost for name, cost in refused.items() if cost.answer_bytes > MAX_ANSWER_BYTES
    } == {}
    assert {
        name: cost for name, cost in refused.items() if cost.memory_bytes > MAX_MEMORY_BYTES
    } == {}
