"""Batch benchmark: POST /predictions with many models or many images in one call.

Compares such calls with single calls and with the runtimes alone.
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

from bench.fixtures.http_requests import inference_request, predictions_request
from bench.fixtures.models import ModelFiles, lenet_names
from bench.harness import wrk
from bench.harness.runtimes import LiteRt, Predict
from bench.harness.runtimes import load as load_model
from bench.harness.server import Server, start_service
from bench.reporting.sampling import Sampling, print_progress, seconds_per_call

MODELS = 24
IMAGES = 1000
FEW_IMAGES = 100
# Each runtime uses the fastest of these batch sizes.
BATCHES = (16, 64, 256)
SAMPLING_SECONDS = 0.01


class UnsupportedOperationError(Exception):
    """The service lacks POST /predictions or rejects a valid request.

    The message has its response.
    """


@dataclass
class BatchResult:
    """Measurements per round: CPU and latency in seconds per call, and images per second."""

    combined_cpu_seconds: list[float] = field(default_factory=list)
    combined_latency_seconds: list[float] = field(default_factory=list)
    single_cpu_seconds: list[float] = field(default_factory=list)
    single_latency_seconds: list[float] = field(default_factory=list)
    litert_cpu_seconds: list[float] = field(default_factory=list)  # one call of each model
    images_per_second: dict[int, list[float]] = field(default_factory=dict)  # by number of cores
    # By number of threads, then by runtime.
    runtime_images_per_second: dict[int, dict[str, list[float]]] = field(default_factory=dict)


def require_predictions(server: Server, image: bytes, experiment: str) -> None:
    """Raise UnsupportedOperationError unless POST /predictions succeeds."""
    status, _ = server.post(*predictions_request([image], [experiment]))
    if status != HTTPStatus.OK:
        raise UnsupportedOperationError(f"POST /predictions returned status {status}")


def measure(
    sampling: Sampling, models: Path, lenet: ModelFiles, images: Sequence[bytes]
) -> BatchResult:
    """Measure both kinds of large call with MODELS LeNets. Raises UnsupportedOperationError."""
    result = BatchResult()
    experiments = lenet_names(MODELS)
    sample = images[:100]
    first_core = psutil.Process().cpu_affinity()[:1]
    with ExitStack() as stack:
        server = stack.enter_context(start_service("service with 24 models", models))
        on_one_core = stack.enter_context(
            start_service("service on one core", models, cores=first_core)
        )
        require_predictions(server, images[0], experiments[0])

        def requests(pairs: list[tuple[str, bytes]]) -> Path:
            file = wrk.write_requests(pairs)
            stack.callback(file.unlink)
            return file

        combined_calls = requests([predictions_request([image], experiments) for image in sample])
        single_calls = requests(
            [
                inference_request(image, name)
                for image, name in zip(sample, cycle(experiments), strict=False)
            ]
        )
        image_batch = requests([predictions_request(images[:IMAGES], experiments[:1])])
        networks = [
            LiteRt((models / name / "model.tflite").read_bytes(), threads=1) for name in experiments
        ]
        decoded = cycle([pyspng.load(image)[np.newaxis] for image in sample])

        def run_all_networks() -> None:
            pixels = next(decoded)
            for network in networks:
                network(pixels)

        for number in range(sampling.rounds):
            print_progress(f"  round {number + 1} of {sampling.rounds}")
            for file, cpu_seconds, latency_seconds in (
                (combined_calls, result.combined_cpu_seconds, result.combined_latency_seconds),
                (single_calls, result.single_cpu_seconds, result.single_latency_seconds),
            ):
                costs = _measure_costs(server, file, sampling.seconds)
                cpu_seconds.append(costs[0])
                latency_seconds.append(costs[1])
            result.litert_cpu_seconds.append(seconds_per_call(run_all_networks))
            for cores, target in ((1, on_one_core), (2, server)):
                rate = IMAGES / _measure_costs(target, image_batch, sampling.seconds)[1]
                result.images_per_second.setdefault(cores, []).append(rate)
                rates_by_runtime = result.runtime_images_per_second.setdefault(cores, {})
                for name, file in (("LiteRT", lenet.litert), ("ONNX Runtime", lenet.onnx)):
                    rates_by_runtime.setdefault(name, []).append(
                        runtime_images_per_second(file, images[:IMAGES], cores)
                    )
    return result


def _measure_costs(server: Server, requests: Path, seconds: int) -> tuple[float, float]:
    """Return CPU seconds and latency per request over one connection.

    Raises UnsupportedOperationError.
    """
    cpu = server.cpu_seconds()
    measured = wrk.run(server.port, requests, 1, seconds)
    cpu = server.cpu_seconds() - cpu
    server.wait_until_idle()
    if measured.error_responses or measured.unanswered:
        raise UnsupportedOperationError(
            f"{measured.error_responses} calls failed and {measured.unanswered} were unanswered"
        )
    return cpu / measured.requests, measured.p50_seconds


def runtime_images_per_second(file: Path, images: Sequence[bytes], threads: int) -> float:
    """Return the images per second that a runtime decodes and predicts in this process.

    Each thread has its own share of the PNGs and its own session.
    """
    predicts = [load_model(file, threads=1) for _ in range(threads)]
    parts = [images[number::threads] for number in range(threads)]

    def read(predict: Predict, part: Sequence[bytes], batch: int) -> None:
        for start in range(0, len(part), batch):
            predict(np.stack([pyspng.load(image) for image in part[start : start + batch]]))

    with ThreadPoolExecutor(threads) as pool:

        def call_with_batch(batch: int) -> Callable[[], object]:
            return lambda: list(pool.map(read, predicts, parts, [batch] * threads))

        return len(images) / min(seconds_per_call(call_with_batch(batch), 0.1) for batch in BATCHES)


@dataclass(frozen=True)
class StreamingResult:
    """Seconds until the first line and in total, and peak memory, of one streaming call."""

    first_line_seconds: float
    seconds: float
    peak_bytes: int


def measure_stream(
    server: Server, images: Sequence[bytes], experiments: Sequence[str]
) -> StreamingResult:
    """Send one call with a streaming response. Raises UnsupportedOperationError."""
    path, body = predictions_request(images, experiments)
    peak = server.memory_bytes()
    finished = threading.Event()

    def sample_memory() -> None:
        nonlocal peak
        while not finished.wait(SAMPLING_SECONDS):
            peak = max(peak, server.memory_bytes())

    sampler = threading.Thread(target=sample_memory)
    sampler.start()
    try:
        started = time.perf_counter()
        with server.open_response(path, body, {"Accept": "application/x-ndjson"}) as response:
            response.readline()
            first_line = time.perf_counter() - started
            lines = 1 + response.read().count(b"\n")
            seconds = time.perf_counter() - started
    finally:
        finished.set()
        sampler.join()
    if response.status != HTTPStatus.OK or lines != len(images):
        raise UnsupportedOperationError(
            f"a streaming call returned status {response.status} "
            f"and {lines} lines for {len(images)} images"
        )
    return StreamingResult(first_line, seconds, peak)
