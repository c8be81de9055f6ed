"""Single-image benchmark: POST /inference under equal load on the service and all references."""

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from functools import partial
from itertools import cycle
from pathlib import Path

import pyspng

from bench.fixtures.http_requests import inference_request
from bench.fixtures.models import CACHE, ModelFiles, copy_models
from bench.harness import runtimes, wrk
from bench.harness.server import Server, start_reference, start_service
from bench.harness.wrk import Load
from bench.reporting.sampling import Sampling, print_progress, seconds_per_call

CONNECTIONS = 16
CACHE_ENTRIES = 10_000
# The first version handles a few requests per second in sequence. More connections would only slow
# it down.
NAIVE_SECONDS, NAIVE_CONNECTIONS = 2, 1
PLOTTED, PLOTTED_REFERENCES = ("limit", "service"), ("fastapi_onnx", "stock")
COMPARED = (
    "bare",
    "limit",
    "service",
    "service without log",
    "service with 2 workers",
    "fastapi_onnx",
    "stock",
    "naive",
)


@dataclass(frozen=True)
class Target:
    """A server to measure, not yet started, and the experiment to request."""

    name: str
    start: Callable[[str], AbstractContextManager[Server]]
    experiment: str

    def connections(self, sampling: Sampling) -> tuple[int, ...]:
        """Return the numbers of connections to measure."""
        if self.name in PLOTTED:
            return sampling.connections
        if self.name in PLOTTED_REFERENCES:
            return sampling.reference_connections
        if self.name == "naive":
            return (NAIVE_CONNECTIONS,)
        return (1, CONNECTIONS) if self.name in COMPARED else (CONNECTIONS,)

    def seconds(self, sampling: Sampling) -> int:
        """Return the duration of each load."""
        return max(NAIVE_SECONDS, sampling.seconds) if self.name == "naive" else sampling.seconds


@dataclass
class SingleResult:
    """Loads by target and number of connections, one per round, and further server measurements."""

    loads: dict[str, dict[int, list[Load]]] = field(default_factory=dict)
    memory_bytes: dict[str, int] = field(default_factory=dict)
    cold_start_seconds: dict[str, float] = field(default_factory=dict)
    litert_call_seconds: list[float] = field(default_factory=list)

    def throughput(self, name: str, connections: int = CONNECTIONS) -> list[float]:
        """Return the requests per second of each round."""
        return [load.requests_per_second for load in self.loads[name][connections]]

    def p50(self, name: str, connections: int = 1) -> list[float]:
        """Return the median latency of each round in seconds."""
        return [load.p50_seconds for load in self.loads[name][connections]]

    def p99(self, name: str, connections: int = 1) -> list[float]:
        """Return the 99th percentile of the latency of each round in seconds."""
        return [load.p99_seconds for load in self.loads[name][connections]]

    def failures(self, name: str) -> int:
        """Return the number of requests without a status of 200."""
        return sum(
            load.error_responses + load.unanswered
            for loads in self.loads[name].values()
            for load in loads
        )


def targets(lenet: ModelFiles, cnn: ModelFiles, limit_cnn: Path) -> list[Target]:
    """Return all servers with their models.

    `limit_cnn` is the CNN in the format of the faster runtime.
    """
    models = copy_models(
        CACHE / "two_models", {lenet.name: lenet.directory, cnn.name: cnn.directory}
    )
    start = partial(start_service, models=models)
    return [
        Target("bare", partial(start_reference, module="bare", model=lenet.litert), lenet.name),
        Target("limit", partial(start_reference, module="limit", model=lenet.litert), lenet.name),
        Target("service", start, lenet.name),
        Target("service without log", partial(start, JOURNAL_BYTES=0), lenet.name),
        Target(
            "service without Postgres", partial(start, PGHOST="127.0.0.1", PGPORT=1), lenet.name
        ),
        Target("service with cache", partial(start, CACHE_ENTRIES=CACHE_ENTRIES), lenet.name),
        Target("service with 2 workers", partial(start, API_WORKERS=2), lenet.name),
        Target(
            "fastapi_onnx",
            partial(start_reference, module="fastapi_onnx", model=lenet.onnx),
            lenet.name,
        ),
        Target("stock", partial(start_reference, module="stock", model=lenet.litert), lenet.name),
        Target("naive", partial(start_reference, module="naive", model=lenet.keras), lenet.name),
        Target("service on the CNN", start, cnn.name),
        Target(
            "limit on the CNN", partial(start_reference, module="limit", model=limit_cnn), cnn.name
        ),
    ]


def measure(
    sampling: Sampling, lenet: ModelFiles, cnn: ModelFiles, limit_cnn: Path, images: Sequence[bytes]
) -> SingleResult:
    """Keep all servers running and send load to them in turn, in each round."""
    result = SingleResult()
    with ExitStack() as stack:
        files = {
            name: wrk.write_requests(inference_request(image, name) for image in images)
            for name in (lenet.name, cnn.name)
        }
        for file in files.values():
            stack.callback(file.unlink)
        started_targets: list[tuple[Target, Server, Path]] = []
        for target in targets(lenet, cnn, limit_cnn):
            print_progress(f"  starting {target.name}")
            server = stack.enter_context(target.start(target.name))
            result.cold_start_seconds[target.name] = server.cold_start_seconds
            started_targets.append((target, server, files[target.experiment]))
        for target, server, requests in started_targets:
            result.loads[target.name] = {
                connections: [] for connections in target.connections(sampling)
            }
            server.load(requests, max(result.loads[target.name]), sampling.seconds)
        for number in range(sampling.rounds):
            print_progress(f"  round {number + 1} of {sampling.rounds}")
            result.litert_call_seconds.append(_litert_call_seconds(lenet, images))
            for target, server, requests in started_targets[:: 1 if number % 2 else -1]:
                for connections, loads in result.loads[target.name].items():
                    loads.append(server.load(requests, connections, target.seconds(sampling)))
        result.memory_bytes = {
            target.name: server.memory_bytes() for target, server, _ in started_targets
        }
    return result


def _litert_call_seconds(model: ModelFiles, images: Sequence[bytes]) -> float:
    """Return the duration of one LiteRT call for a decoded image, in this process."""
    predict = runtimes.load(model.litert, threads=1)
    decoded = cycle([pyspng.load(image)[None] for image in images])
    return seconds_per_call(lambda: predict(next(decoded)))
