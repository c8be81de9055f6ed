"""What a refused request costs.

Bytes of the answer, time, and memory at its peak, of the whole corpus and of large ones.
"""

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
from tests.resilience.stack import Faulty, figure, milliseconds

MOST_ANSWER_BYTES = 1024
MOST_MEMORY_BYTES = 64 * 2**20
LARGE_BYTES = 15 * 2**20
PATIENCE_SECONDS = 60
LOOK_SECONDS = 0.005

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        sys.platform != "linux", reason="only Linux reports the peak memory of a process"
    ),
]


class Cost(NamedTuple):
    """What one request cost."""

    status: int
    answer_bytes: int
    seconds: float
    memory_bytes: int


def large() -> Iterator[Request]:
    """Requests as large as may be, which are refused only when they were read."""
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
        query=b"experiments=nobody",
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


def ask(stack: Faulty, request: Request, workers: list[psutil.Process]) -> Cost:
    """Send a request over a connection of its own and see what it takes of the workers."""
    before = []
    for worker in workers:
        Path(f"/proc/{worker.pid}/clear_refs").write_text("5")  # the peak is from now on
        before.append(worker.memory_info().rss)
    began = time.perf_counter()
    with socket.create_connection(
        ("127.0.0.1", stack.port), timeout=PATIENCE_SECONDS
    ) as connection:
        with contextlib.suppress(OSError):  # it is answered before it was read
            connection.sendall(request.on_wire())
        answer = http.client.HTTPResponse(connection, method=request.method)
        answer.begin()
        body = answer.read()
    seconds = time.perf_counter() - began
    grown = max(_peak(worker) - rss for worker, rss in zip(workers, before, strict=True))
    return Cost(answer.status, len(body), seconds, grown)


@contextlib.contextmanager
def health(stack: Faulty) -> Iterator[list[float]]:
    """Ask the service all the while whether it lives, and yield how many seconds each answer took."""
    took: list[float] = []
    ended = threading.Event()

    def look() -> None:
        connection = http.client.HTTPConnection("127.0.0.1", stack.port, timeout=PATIENCE_SECONDS)
        while not ended.wait(LOOK_SECONDS):
            began = time.perf_counter()
            connection.request("GET", f"{BASE}/healthz")
            assert connection.getresponse().read()
            took.append(time.perf_counter() - began)
        connection.close()

    looking = threading.Thread(target=look)
    looking.start()
    yield took
    ended.set()
    looking.join()


def _peak(worker: psutil.Process) -> int:
    [line] = [
        line
        for line in Path(f"/proc/{worker.pid}/status").read_text().splitlines()
        if line.startswith("VmHWM")
    ]
    return int(line.split()[1]) * 1024


def test_refused_requests_cost_little(stack: Faulty) -> None:
    workers = stack.listeners()
    known = FIRST.encode()
    corpus = [
        each
        for each in requests()
        if each.is_sendable
        and known in each.target
        and (not each.statuses or min(each.statuses) >= 400)
    ]
    with health(stack) as took:
        costs = {each.name: ask(stack, each, workers) for each in (*corpus, *large())}
    refused = {name: cost for name, cost in costs.items() if cost.status >= 400}
    assert len(refused) > 130
    for what, index in (("bytes", 1), ("seconds", 2), ("memory", 3)):
        worst = sorted(refused.items(), key=lambda item: item[1][index], reverse=True)[:4]
        figure(
            f"most {what} of {len(refused)} refused requests",
            "; ".join(f"{name}: {cost[index]:.6g}" for name, cost in worst),
        )
    figure(
        "p99 of /healthz meanwhile",
        f"{milliseconds(sorted(took)[int(0.99 * len(took))])} of {len(took)}",
    )
    assert [name for name, cost in costs.items() if cost.status >= 500] == []
    assert {
        name: cost for name, cost in refused.items() if cost.answer_bytes > MOST_ANSWER_BYTES
    } == {}
    assert {
        name: cost for name, cost in refused.items() if cost.memory_bytes > MOST_MEMORY_BYTES
    } == {}
