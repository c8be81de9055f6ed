"""POST /predictions.

Many models or many images in one call, against single calls and against the runtimes alone.
"""

import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass, field
from http import HTTPStatus
from itertools import cycle
from pathlib import Path

import numpy as np
import psutil
import pyspng

from bench.fixtures.http_requests import many, single
from bench.fixtures.models import ModelFiles, names
from bench.harness import wrk
from bench.harness.runtimes import LiteRt, Predict
from bench.harness.runtimes import load as load_model
from bench.harness.service import Server, ours
from bench.reporting.sampling import Effort, say, seconds_per_call

MODELS = 24
IMAGES = 1000
FEW_IMAGES = 100
# Sizes of batch among which each runtime gets the one that suits it.
BATCHES = (16, 64, 256)
SAMPLING_SECONDS = 0.01


class UnknownOperationError(Exception):
    """The service has no POST /predictions, or refuses what it should take.

    The message says how it answers.
    """


@dataclass
class TogetherResult:
    """Per round: seconds of CPU and of waiting per call, and images per second."""

    together_cpu: list[float] = field(default_factory=list)
    together_wait: list[float] = field(default_factory=list)
    single_cpu: list[float] = field(default_factory=list)
    single_wait: list[float] = field(default_factory=list)
    litert_cpu: list[float] = field(default_factory=list)  # of all MODELS models, one call each
    images_per_second: dict[int, list[float]] = field(default_factory=dict)  # by number of cores
    runtime_images_per_second: dict[int, dict[str, list[float]]] = field(
        default_factory=dict
    )  # by threads, by runtime


def require_predictions(server: Server, image: bytes, experiment: str) -> None:
    """Raise UnknownOperationError unless the service answers POST /predictions."""
    status, _ = server.post(*many([image], [experiment]))
    if status != HTTPStatus.OK:
        raise UnknownOperationError(f"POST /predictions answers {status}")


def measure(
    effort: Effort, models: Path, lenet: ModelFiles, images: Sequence[bytes]
) -> TogetherResult:
    """Measure both kinds of large call over a directory of MODELS LeNets. Raises UnknownOperationError."""
    result = TogetherResult()
    experiments = names(MODELS)
    some = images[:100]
    first_core = psutil.Process().cpu_affinity()[:1]
    with ExitStack() as stack:
        server = stack.enter_context(ours("ours over 24 models", models))
        on_one_core = stack.enter_context(ours("ours on one core", models, cores=first_core))
        require_predictions(server, images[0], experiments[0])

        def requests(pairs: list[tuple[str, bytes]]) -> Path:
            file = wrk.write_requests(pairs)
            stack.callback(file.unlink)
            return file

        together = requests([many([image], experiments) for image in some])
        alone = requests(
            [single(image, name) for image, name in zip(some, cycle(experiments), strict=False)]
        )
        thousand = requests([many(images[:IMAGES], experiments[:1])])
        networks = [
            LiteRt((models / name / "model.tflite").read_bytes(), threads=1) for name in experiments
        ]
        decoded = cycle([pyspng.load(image)[np.newaxis] for image in some])

        def every_network() -> None:
            pixels = next(decoded)
            for network in networks:
                network(pixels)

        for number in range(effort.rounds):
            say(f"  round {number + 1} of {effort.rounds}")
            for file, cpu, wait in (
                (together, result.together_cpu, result.together_wait),
                (alone, result.single_cpu, result.single_wait),
            ):
                per_call = _per_call(server, file, effort.seconds)
                cpu.append(per_call[0])
                wait.append(per_call[1])
            result.litert_cpu.append(seconds_per_call(every_network))
            for cores, contestant in ((1, on_one_core), (2, server)):
                rate = IMAGES / _per_call(contestant, thousand, effort.seconds)[1]
                result.images_per_second.setdefault(cores, []).append(rate)
                of_runtimes = result.runtime_images_per_second.setdefault(cores, {})
                for name, file in (("LiteRT", lenet.litert), ("ONNX Runtime", lenet.onnx)):
                    of_runtimes.setdefault(name, []).append(
                        runtime_images_per_second(file, images[:IMAGES], cores)
                    )
    return result


def _per_call(server: Server, requests: Path, seconds: int) -> tuple[float, float]:
    """Return the seconds of CPU and of waiting per request over one connection.

    Raises UnknownOperationError.
    """
    cpu = server.cpu_seconds()
    measured = wrk.run(server.port, requests, 1, seconds)
    cpu = server.cpu_seconds() - cpu
    server.settle()
    if measured.refused or measured.broken:
        raise UnknownOperationError(
            f"{measured.refused} calls were refused and {measured.broken} not answered"
        )
    return cpu / measured.requests, measured.p50_seconds


def runtime_images_per_second(file: Path, images: Sequence[bytes], threads: int) -> float:
    """Return how many PNGs a second a runtime decodes and reads in this process, each thread with
    its own part and session.
    """
    predicts = [load_model(file, threads=1) for _ in range(threads)]
    parts = [images[number::threads] for number in range(threads)]

    def read(predict: Predict, part: Sequence[bytes], batch: int) -> None:
        for start in range(0, len(part), batch):
            predict(np.stack([pyspng.load(image) for image in part[start : start + batch]]))

    with ThreadPoolExecutor(threads) as pool:

        def of_batch(batch: int) -> Callable[[], object]:
            return lambda: list(pool.map(read, predicts, parts, [batch] * threads))

        return len(images) / min(seconds_per_call(of_batch(batch), 0.1) for batch in BATCHES)


@dataclass(frozen=True)
class Streamed:
    """One streamed call.

    How long until its first line and in all, in seconds, and the most memory meanwhile.
    """

    first_line_seconds: float
    seconds: float
    peak_bytes: int


def stream(server: Server, images: Sequence[bytes], experiments: Sequence[str]) -> Streamed:
    """Send one call that is answered line by line. Raises UnknownOperationError."""
    path, body = many(images, experiments)
    peak = server.memory_bytes()
    over = threading.Event()

    def watch() -> None:
        nonlocal peak
        while not over.wait(SAMPLING_SECONDS):
            peak = max(peak, server.memory_bytes())

    watching = threading.Thread(target=watch)
    watching.start()
    try:
        started = time.perf_counter()
        with server.opened(path, body, {"Accept": "application/x-ndjson"}) as response:
            response.readline()
            first_line = time.perf_counter() - started
            lines = 1 + response.read().count(b"\n")
            seconds = time.perf_counter() - started
    finally:
        over.set()
        watching.join()
    if response.status != HTTPStatus.OK or lines != len(images):
        raise UnknownOperationError(
            f"a streamed call is answered with {response.status} and {lines} lines for {len(images)} images"
        )
    return Streamed(first_line, seconds, peak)
