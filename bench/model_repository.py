"""Model repository benchmark: cost of 24 and of 1,000 models, and of changes under load.

Measures start time, memory, throughput and the visibility of a change.
"""

import json
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from http import HTTPStatus
from itertools import cycle
from pathlib import Path
from statistics import mean

from bench import batch_calls
from bench.batch_calls import FEW_IMAGES, IMAGES, StreamingResult, UnsupportedOperationError
from bench.fixtures.http_requests import inference_request, predictions_request
from bench.fixtures.models import CACHE, ROOT, create_lenet_directory, lenet_names, write_lenet
from bench.harness import wrk
from bench.harness.server import Server, start_service
from bench.harness.wrk import Load
from bench.reporting.sampling import Sampling, print_progress

FEW_MODELS, MANY_MODELS = 24, 1000
CONNECTIONS = 16
# All imports of `python -m inference` before it reads its models, then an exit without cleanup.
IMPORTS = """
import inference.__main__, httptools, uvicorn.protocols.http.httptools_impl, uvloop, os
import inference.app
os._exit(0)
"""
# After this time a change counts as not visible.
VISIBILITY_TIMEOUT_SECONDS = 5
POLL_SECONDS = 0.02
CHANGES_LOAD_SECONDS = 2


@dataclass
class RepositoryResult:
    """Measurements by number of models. Lists hold one value per round."""

    imports_seconds: list[float] = field(default_factory=list)
    start_seconds: dict[int, list[float]] = field(default_factory=dict)
    memory_bytes: dict[int, list[int]] = field(default_factory=dict)
    streaming: dict[int, list[StreamingResult]] = field(default_factory=dict)  # by number of images
    streaming_error: str | None = None
    has_tensorflow: bool = False
    throughput: dict[int, list[float]] = field(default_factory=dict)
    # Latency of a call with one image, by number of models. Empty without POST /predictions.
    call_seconds: dict[int, list[float]] = field(default_factory=dict)


@dataclass
class ChangeResult:
    """Loads of rounds without and with changes.

    `visible_seconds` holds the delay until each change was visible, or None if it never was.
    """

    unchanged_loads: list[Load] = field(default_factory=list)
    changed_loads: list[Load] = field(default_factory=list)
    visible_seconds: list[float | None] = field(default_factory=list)


def create_directories() -> dict[int, Path]:
    """Create the model directories with FEW_MODELS and MANY_MODELS models."""
    return {
        count: create_lenet_directory(CACHE / f"{count}_models", count)
        for count in (FEW_MODELS, MANY_MODELS)
    }


def measure_starts(
    sampling: Sampling, directories: dict[int, Path], images: Sequence[bytes]
) -> RepositoryResult:
    """Start the service with each directory in each round.

    Requests each model once before the memory is measured.
    """
    result = RepositoryResult()
    for number in range(sampling.rounds):
        print_progress(f"  round {number + 1} of {sampling.rounds}")
        started = time.perf_counter()
        subprocess.run([sys.executable, "-W", "ignore", "-c", IMPORTS], cwd=ROOT, check=True)
        result.imports_seconds.append(time.perf_counter() - started)
        for count, directory in directories.items():
            with start_service(f"service with {count} models", directory) as server:
                result.start_seconds.setdefault(count, []).append(server.cold_start_seconds)
                for name, image in zip(lenet_names(count), cycle(images), strict=False):
                    server.post(*inference_request(image, name))
                result.memory_bytes.setdefault(count, []).append(server.memory_bytes())
                if count == FEW_MODELS:
                    result.has_tensorflow |= server.has_loaded("tensorflow")
                    _measure_streaming(server, images, result)
    return result


def _measure_streaming(server: Server, images: Sequence[bytes], result: RepositoryResult) -> None:
    """Measure streaming on a fresh server.

    The allocator keeps memory of earlier calls, which would hide the memory use of later calls.
    """
    try:
        batch_calls.require_predictions(server, images[0], lenet_names(1)[0])
        for count in (FEW_IMAGES, IMAGES):
            result.streaming.setdefault(count, []).append(
                batch_calls.measure_stream(server, images[:count], lenet_names(FEW_MODELS))
            )
    except UnsupportedOperationError as error:
        result.streaming_error = str(error)


def measure_growth(
    sampling: Sampling,
    directories: dict[int, Path],
    images: Sequence[bytes],
    result: RepositoryResult,
) -> None:
    """Send the same load to the same models among FEW_MODELS and among MANY_MODELS.

    Also measures the latency of calls with more models.
    """
    with ExitStack() as stack:
        servers = {
            count: stack.enter_context(start_service(f"service with {count} models", directory))
            for count, directory in directories.items()
        }
        requests = _write_inference_requests(images)
        stack.callback(requests.unlink)
        calls = {}
        for count in sampling.models_per_call:
            calls[count] = wrk.write_requests(
                [predictions_request([image], lenet_names(count)) for image in images[:50]]
            )
            stack.callback(calls[count].unlink)
        for server in servers.values():
            server.load(requests, CONNECTIONS, sampling.seconds)
        for number in range(sampling.rounds):
            print_progress(f"  round {number + 1} of {sampling.rounds}")
            # Forward and backward, because the goal is near 1: a drift within a round then
            # affects both sides equally.
            rates = {
                count: [
                    servers[count].load(requests, CONNECTIONS, sampling.seconds).requests_per_second
                ]
                for count in (FEW_MODELS, MANY_MODELS)
            }
            for count in (MANY_MODELS, FEW_MODELS):
                rates[count].append(
                    servers[count].load(requests, CONNECTIONS, sampling.seconds).requests_per_second
                )
                result.throughput.setdefault(count, []).append(mean(rates[count]))
            for count, call in calls.items():
                measured = servers[MANY_MODELS].load(call, 1, sampling.seconds)
                if measured.error_responses:
                    break
                result.call_seconds.setdefault(count, []).append(measured.p50_seconds)


def measure_changes(sampling: Sampling, images: Sequence[bytes]) -> ChangeResult:
    """Publish a new model and change an existing one in each round.

    The load goes to FEW_MODELS models.
    """
    result = ChangeResult()
    directory = create_lenet_directory(CACHE / "changing_models", FEW_MODELS)
    with ExitStack() as stack:
        server = stack.enter_context(start_service("service with changing models", directory))
        requests = _write_inference_requests(images)
        stack.callback(requests.unlink)
        server.load(requests, CONNECTIONS, sampling.seconds)
        for number in range(sampling.rounds):
            print_progress(f"  round {number + 1} of {sampling.rounds}")
            result.unchanged_loads.append(server.load(requests, CONNECTIONS, CHANGES_LOAD_SECONDS))
            with wrk.command(server.port, requests, CONNECTIONS, CHANGES_LOAD_SECONDS) as process:
                published = []
                changed_name = lenet_names(FEW_MODELS)[number % FEW_MODELS]
                for offset, name in enumerate((f"new_{number}", changed_name)):
                    digest = _publish(directory, name, MANY_MODELS + 2 * number + offset)
                    published.append((name, digest, time.perf_counter()))
                result.visible_seconds += [
                    _measure_visible_seconds(server, images[0], *publication)
                    for publication in published
                ]
                output, _ = process.communicate()
            server.wait_until_idle()
            result.changed_loads.append(wrk.parse(output))
            if None in result.visible_seconds:
                break  # the service does not follow its repository, so stop here
    return result


def _write_inference_requests(images: Sequence[bytes]) -> Path:
    names = cycle(lenet_names(FEW_MODELS))
    return wrk.write_requests(
        inference_request(image, name) for image, name in zip(images, names, strict=False)
    )


def _publish(directory: Path, name: str, number: int) -> str:
    """Publish a model and return its digest.

    A new model appears by a rename of its directory, a new version of an existing one file by file.
    """
    if (directory / name).exists():
        return write_lenet(directory / name, number)
    digest = write_lenet(directory / f".{name}", number)
    (directory / f".{name}").rename(directory / name)
    return digest


def _measure_visible_seconds(
    server: Server, image: bytes, name: str, digest: str, published: float
) -> float | None:
    """Return the seconds from `published` until the service predicts with the given model digest.

    Returns None after VISIBILITY_TIMEOUT_SECONDS.
    """
    while time.perf_counter() - published < VISIBILITY_TIMEOUT_SECONDS:
        status, body = server.post(*inference_request(image, name))
        if status == HTTPStatus.OK and json.loads(body).get("model_digest") == digest:
            return time.perf_counter() - published
        time.sleep(POLL_SECONDS)
    return None
