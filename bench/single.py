"""POST /inference.

One image through one model, by the service and by every reference, under the same load.
"""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from functools import partial
from itertools import cycle
from pathlib import Path

import pyspng

from bench.fixtures.http_requests import single
from bench.fixtures.models import CACHE, ModelFiles, directory_of
from bench.harness import runtimes, wrk
from bench.harness.service import Server, ours, reference
from bench.harness.wrk import Load
from bench.reporting.sampling import Effort, say, seconds_per_call

CONNECTIONS = 16
CACHE_ENTRIES = 10_000
# The first version answers a handful in a second, one after the other: more connections would only
# slow it down.
NAIVE_SECONDS, NAIVE_CONNECTIONS = 2, 1
PLOTTED, PLOTTED_WITH_FEWER = ("limit", "ours"), ("fastapi_onnx", "stock")
COMPARED = (
    "bare",
    "limit",
    "ours",
    "ours without the log",
    "ours with 2 workers",
    "fastapi_onnx",
    "stock",
    "naive",
)


@dataclass(frozen=True)
class Contestant:
    """A server, not yet started, and the experiment that it is asked for."""

    name: str
    start: Callable[[str], AbstractContextManager[Server]]
    experiment: str

    def connections(self, effort: Effort) -> tuple[int, ...]:
        """Return the numbers of connections with which it is measured."""
        if self.name in PLOTTED:
            return effort.connections
        if self.name in PLOTTED_WITH_FEWER:
            return effort.few_connections
        if self.name == "naive":
            return (NAIVE_CONNECTIONS,)
        return (1, CONNECTIONS) if self.name in COMPARED else (CONNECTIONS,)

    def seconds(self, effort: Effort) -> int:
        """Return how long each load on it lasts."""
        return max(NAIVE_SECONDS, effort.seconds) if self.name == "naive" else effort.seconds


@dataclass
class SingleResult:
    """Loads by contestant and number of connections, one per round, and what else was seen of the
    servers.
    """

    loads: dict[str, dict[int, list[Load]]] = field(default_factory=dict)
    memory_bytes: dict[str, int] = field(default_factory=dict)
    cold_start_seconds: dict[str, float] = field(default_factory=dict)
    litert_call_seconds: list[float] = field(default_factory=list)

    def throughput(self, name: str, connections: int = CONNECTIONS) -> list[float]:
        """Return the requests per second of each round."""
        return [each.requests_per_second for each in self.loads[name][connections]]

    def p50(self, name: str, connections: int = 1) -> list[float]:
        """Return the median latency of each round, in seconds."""
        return [each.p50_seconds for each in self.loads[name][connections]]

    def p99(self, name: str, connections: int = 1) -> list[float]:
        """Return the 99th percentile of each round, in seconds."""
        return [each.p99_seconds for each in self.loads[name][connections]]

    def failures(self, name: str) -> int:
        """Return how many requests were not answered with 200."""
        return sum(
            each.refused + each.broken for loads in self.loads[name].values() for each in loads
        )


def contestants(lenet: ModelFiles, cnn: ModelFiles, limit_cnn: Path) -> list[Contestant]:
    """Return every server with its model.

    `limit_cnn` is the CNN for the runtime that is better at it.
    """
    models = directory_of(
        CACHE / "two_models", {lenet.name: lenet.directory, cnn.name: cnn.directory}
    )
    service = partial(ours, models=models)
    return [
        Contestant("bare", partial(reference, module="bare", model=lenet.litert), lenet.name),
        Contestant("limit", partial(reference, module="limit", model=lenet.litert), lenet.name),
        Contestant("ours", service, lenet.name),
        Contestant("ours without the log", partial(service, JOURNAL_BYTES=0), lenet.name),
        Contestant(
            "ours without Postgres", partial(service, PGHOST="127.0.0.1", PGPORT=1), lenet.name
        ),
        Contestant(
            "ours with the cache", partial(service, CACHE_ENTRIES=CACHE_ENTRIES), lenet.name
        ),
        Contestant("ours with 2 workers", partial(service, API_WORKERS=2), lenet.name),
        Contestant(
            "fastapi_onnx", partial(reference, module="fastapi_onnx", model=lenet.onnx), lenet.name
        ),
        Contestant("stock", partial(reference, module="stock", model=lenet.litert), lenet.name),
        Contestant("naive", partial(reference, module="naive", model=lenet.keras), lenet.name),
        Contestant("ours on the CNN", service, cnn.name),
        Contestant(
            "limit on the CNN", partial(reference, module="limit", model=limit_cnn), cnn.name
        ),
    ]


def measure(
    effort: Effort, lenet: ModelFiles, cnn: ModelFiles, limit_cnn: Path, images: Sequence[bytes]
) -> SingleResult:
    """Keep every server running, and send load to one after the other in each round."""
    result = SingleResult()
    with ExitStack() as stack:
        files = {
            name: wrk.write_requests(single(image, name) for image in images)
            for name in (lenet.name, cnn.name)
        }
        for file in files.values():
            stack.callback(file.unlink)
        running: list[tuple[Contestant, Server, Path]] = []
        for contestant in contestants(lenet, cnn, limit_cnn):
            say(f"  starting {contestant.name}")
            server = stack.enter_context(contestant.start(contestant.name))
            result.cold_start_seconds[contestant.name] = server.cold_start_seconds
            running.append((contestant, server, files[contestant.experiment]))
        for contestant, server, requests in running:
            result.loads[contestant.name] = {
                connections: [] for connections in contestant.connections(effort)
            }
            server.load(requests, max(result.loads[contestant.name]), effort.seconds)
        for number in range(effort.rounds):
            say(f"  round {number + 1} of {effort.rounds}")
            result.litert_call_seconds.append(_litert_call_seconds(lenet, images))
            for contestant, server, requests in running[:: 1 if number % 2 else -1]:
                for connections, loads in result.loads[contestant.name].items():
                    loads.append(server.load(requests, connections, contestant.seconds(effort)))
        result.memory_bytes = {
            contestant.name: server.memory_bytes() for contestant, server, _ in running
        }
    return result


def _litert_call_seconds(model: ModelFiles, images: Sequence[bytes]) -> float:
    """Return what one call of LiteRT takes for one decoded image, here, without a service."""
    predict = runtimes.load(model.litert, threads=1)
    decoded = cycle([pyspng.load(image)[None] for image in images])
    return seconds_per_call(lambda: predict(next(decoded)))
