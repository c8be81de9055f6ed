"""The model directory.

What 24 and 1,000 models cost at the start, in memory and in speed, and what a change costs under
load.
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

from bench import together
from bench.fixtures.http_requests import many, single
from bench.fixtures.models import CACHE, ROOT, directory_of_lenets, names, write_lenet
from bench.harness import wrk
from bench.harness.service import Server, ours
from bench.harness.wrk import Load
from bench.reporting.sampling import Effort, say
from bench.together import FEW_IMAGES, IMAGES, Streamed, UnknownOperationError

FEW, MANY = 24, 1000
CONNECTIONS = 16
# All that `python -m inference` imports before it looks at its models; and an end that tidies
# nothing up.
IMPORTS = """
import inference.__main__, inference.import_stubs, httptools, uvicorn.protocols.http.httptools_impl, uvloop, os
with inference.import_stubs.left_out():
    import inference.app
os._exit(0)
"""
# How long a change may take to be seen before the benchmark gives up on it.
VISIBLE_SECONDS = 5
LOOK_SECONDS = 0.02
CHANGES_LOAD_SECONDS = 2


@dataclass
class DirectoryResult:
    """By number of models: cold starts in seconds, memory in bytes; per round, as all lists."""

    imports_seconds: list[float] = field(default_factory=list)
    start_seconds: dict[int, list[float]] = field(default_factory=dict)
    memory_bytes: dict[int, list[int]] = field(default_factory=dict)
    streamed: dict[int, list[Streamed]] = field(default_factory=dict)  # by number of images
    not_streamed: str | None = None
    has_tensorflow: bool = False
    throughput: dict[int, list[float]] = field(default_factory=dict)
    # Seconds that a caller waits for one image, by the number of models in its call; empty without
    # POST /predictions.
    call_seconds: dict[int, list[float]] = field(default_factory=dict)


@dataclass
class ChangeResult:
    """Loads of rounds without and with changes.

    Seconds until each change was seen, None for one that never was.
    """

    still: list[Load] = field(default_factory=list)
    changing: list[Load] = field(default_factory=list)
    visible_seconds: list[float | None] = field(default_factory=list)


def directories() -> dict[int, Path]:
    """Make the directories of FEW and MANY models."""
    return {count: directory_of_lenets(CACHE / f"{count}_models", count) for count in (FEW, MANY)}


def measure_starts(
    effort: Effort, directories: dict[int, Path], images: Sequence[bytes]
) -> DirectoryResult:
    """Start the service over each directory in each round.

    Ask every model once before its memory is looked at.
    """
    result = DirectoryResult()
    for number in range(effort.rounds):
        say(f"  round {number + 1} of {effort.rounds}")
        started = time.perf_counter()
        subprocess.run([sys.executable, "-W", "ignore", "-c", IMPORTS], cwd=ROOT, check=True)
        result.imports_seconds.append(time.perf_counter() - started)
        for count, directory in directories.items():
            with ours(f"ours with {count} models", directory) as server:
                result.start_seconds.setdefault(count, []).append(server.cold_start_seconds)
                for name, image in zip(names(count), cycle(images), strict=False):
                    server.post(*single(image, name))
                result.memory_bytes.setdefault(count, []).append(server.memory_bytes())
                if count == FEW:
                    result.has_tensorflow |= server.holds("tensorflow")
                    _stream(server, images, result)
    return result


def _stream(server: Server, images: Sequence[bytes], result: DirectoryResult) -> None:
    """Measure streaming on a fresh server.

    What a call once took stays with its allocator, and would hide what the next takes.
    """
    try:
        together.require_predictions(server, images[0], names(1)[0])
        for count in (FEW_IMAGES, IMAGES):
            result.streamed.setdefault(count, []).append(
                together.stream(server, images[:count], names(FEW))
            )
    except UnknownOperationError as error:
        result.not_streamed = str(error)


def measure_growth(
    effort: Effort, directories: dict[int, Path], images: Sequence[bytes], result: DirectoryResult
) -> None:
    """Send the same load to the same models among FEW and among MANY, and measure the cost of more
    models in one call.
    """
    with ExitStack() as stack:
        servers = {
            count: stack.enter_context(ours(f"ours with {count} models", directory))
            for count, directory in directories.items()
        }
        alike = wrk.write_requests(
            single(image, name) for image, name in zip(images, cycle(names(FEW)), strict=False)
        )
        stack.callback(alike.unlink)
        calls = {}
        for count in effort.models_in_one_call:
            calls[count] = wrk.write_requests(
                [many([image], names(count)) for image in images[:50]]
            )
            stack.callback(calls[count].unlink)
        for server in servers.values():
            server.load(alike, CONNECTIONS, effort.seconds)
        for number in range(effort.rounds):
            say(f"  round {number + 1} of {effort.rounds}")
            # There and back, for the goal is near 1: what drifts within a round meets both alike.
            rates = {
                count: [servers[count].load(alike, CONNECTIONS, effort.seconds).requests_per_second]
                for count in (FEW, MANY)
            }
            for count in (MANY, FEW):
                rates[count].append(
                    servers[count].load(alike, CONNECTIONS, effort.seconds).requests_per_second
                )
                result.throughput.setdefault(count, []).append(mean(rates[count]))
            for count, requests in calls.items():
                measured = servers[MANY].load(requests, 1, effort.seconds)
                if measured.refused:
                    break
                result.call_seconds.setdefault(count, []).append(measured.p50_seconds)


def measure_changes(effort: Effort, images: Sequence[bytes]) -> ChangeResult:
    """Publish a new model and change one that is being asked, in each round, under load on FEW
    models.
    """
    result = ChangeResult()
    directory = directory_of_lenets(CACHE / "changing_models", FEW)
    with ExitStack() as stack:
        server = stack.enter_context(ours("ours with changing models", directory))
        requests = wrk.write_requests(
            single(image, name) for image, name in zip(images, cycle(names(FEW)), strict=False)
        )
        stack.callback(requests.unlink)
        server.load(requests, CONNECTIONS, effort.seconds)
        for number in range(effort.rounds):
            say(f"  round {number + 1} of {effort.rounds}")
            result.still.append(server.load(requests, CONNECTIONS, CHANGES_LOAD_SECONDS))
            with wrk.command(server.port, requests, CONNECTIONS, CHANGES_LOAD_SECONDS) as process:
                published = []
                for offset, name in enumerate((f"new_{number}", names(FEW)[number % FEW])):
                    digest = _publish(directory, name, MANY + 2 * number + offset)
                    published.append((name, digest, time.perf_counter()))
                result.visible_seconds += [
                    _seconds_until(server, images[0], *each) for each in published
                ]
                output, _ = process.communicate()
            server.settle()
            result.changing.append(wrk.parse(output))
            if None in result.visible_seconds:
                break  # it does not follow its directory: further rounds would say the same
    return result


def _publish(directory: Path, name: str, number: int) -> str:
    """Put a model in place.

    A new one by a rename of its directory, another version of one file by file. Return its digest.
    """
    if (directory / name).exists():
        return write_lenet(directory / name, number)
    digest = write_lenet(directory / f".{name}", number)
    (directory / f".{name}").rename(directory / name)
    return digest


def _seconds_until(
    server: Server, image: bytes, name: str, digest: str, published: float
) -> float | None:
    """Return the seconds from `published` until the service answers with the model of a digest,
    None after VISIBLE_SECONDS.
    """
    while time.perf_counter() - published < VISIBLE_SECONDS:
        status, body = server.post(*single(image, name))
        if status == HTTPStatus.OK and json.loads(body).get("model_digest") == digest:
            return time.perf_counter() - published
        time.sleep(LOOK_SECONDS)
    return None
