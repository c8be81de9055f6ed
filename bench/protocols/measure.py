"""Measurement: the same images in each form, to the service and its peers in turn."""

import http.client
from collections.abc import Mapping, Sequence
from contextlib import ExitStack, closing
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyspng

from bench.fixtures.models import CACHE, copy_models
from bench.harness import runtimes, wrk
from bench.harness.server import Server, start_service
from bench.harness.wrk import Load
from bench.protocols import peers
from bench.protocols.forms import BINARY, BINARY_FLOAT, JSON, NATIVE, ROWS, Form, forms
from bench.reporting.sampling import Sampling, print_progress
from inference.model_format.card import LITERT_FILE

SERVICE = "service"
CONNECTIONS = 8
IMAGES = (1, 64)  # of a request
SERVICE_FORMS = {SERVICE: (NATIVE, BINARY, JSON, ROWS)}
ALL_FORMS = {
    SERVICE: (NATIVE, BINARY, BINARY_FLOAT, JSON, ROWS),
    peers.MLSERVER: (JSON,),  # it refuses binary tensors
    peers.KSERVE: (BINARY, JSON, ROWS),
}
TOLERANCE = 1e-5
TIMEOUT_SECONDS = 30


class WrongAnswerError(Exception):
    """A server answered with an error, or with other probabilities than LiteRT."""


@dataclass
class ProtocolResult:
    """Loads by server, form and number of images, one per round."""

    loads: dict[tuple[str, str, int], list[Load]] = field(default_factory=dict)

    def throughput(self, server: str, form: str, images: int) -> list[float]:
        """Return the requests per second of each round."""
        return [load.requests_per_second for load in self.loads[server, form, images]]

    def failures(self) -> int:
        """Return the number of requests without a status of 200."""
        return sum(
            load.error_responses + load.unanswered
            for loads in self.loads.values()
            for load in loads
        )


@dataclass(frozen=True)
class _Target:
    """A form of requests to a server."""

    key: tuple[str, str, int]
    server: Server
    form: Form
    requests: Path

    def load(self, seconds: int) -> Load:
        return self.server.load(self.requests, CONNECTIONS, seconds, self.form.headers)


def measure(
    sampling: Sampling,
    model: Path,
    pngs: Sequence[bytes],
    forms_by_server: Mapping[str, tuple[str, ...]],
) -> ProtocolResult:
    """Keep all servers running and send load to them in turn, in each round.

    `model` is the directory of a model, and its name. Raises WrongAnswerError, ServerStartError
    and LoadGenerationError.
    """
    result = ProtocolResult()
    with ExitStack() as stack:
        servers = {name: _start(stack, name, model) for name in forms_by_server}
        targets = [
            _prepare(stack, model, pngs, servers[name], (name, form, images))
            for images in IMAGES
            for name, names in forms_by_server.items()
            for form in names
        ]
        for target in targets:
            result.loads[target.key] = []
            target.load(sampling.seconds)
        for number in range(sampling.rounds):
            print_progress(f"  round {number + 1} of {sampling.rounds}")
            for target in targets[:: 1 if number % 2 else -1]:
                result.loads[target.key].append(target.load(sampling.seconds))
    return result


def _start(stack: ExitStack, name: str, model: Path) -> Server:
    print_progress(f"  starting {name}")
    if name == peers.MLSERVER:
        return stack.enter_context(peers.start_mlserver(model.name, model / LITERT_FILE))
    if name == peers.KSERVE:
        return stack.enter_context(peers.start_kserve(model.name, model / LITERT_FILE))
    models = copy_models(CACHE / "protocols", {model.name: model})
    return stack.enter_context(start_service("service for protocols", models))


def _prepare(
    stack: ExitStack,
    model: Path,
    pngs: Sequence[bytes],
    server: Server,
    key: tuple[str, str, int],
) -> _Target:
    """Check the answers to one request, and write all requests to a file."""
    name, form_name, images = key
    form = forms(images)[form_name]
    batches = [pngs[start : start + images] for start in range(0, len(pngs) - images + 1, images)]
    pixels = [np.stack([pyspng.load(png) for png in batch]) for batch in batches]
    pairs = list(zip(batches, pixels, strict=True))
    requests = [form.encode(batch, arrays, model.name) for batch, arrays in pairs]
    expected = runtimes.load(model / LITERT_FILE, threads=1)(pixels[0])
    found = form.decode(_post(server, *requests[0], form.headers))
    if found.shape != expected.shape or np.abs(found - expected).max() > TOLERANCE:
        raise WrongAnswerError(f"{name}, {form_name}: the answer differs from LiteRT's.")
    file = wrk.write_requests(requests)
    stack.callback(file.unlink)
    return _Target(key, server, form, file)


def _post(server: Server, path: str, body: bytes, headers: Sequence[str]) -> bytes:
    pairs = dict(header.split(": ", 1) for header in headers)
    connection = http.client.HTTPConnection("127.0.0.1", server.port, timeout=TIMEOUT_SECONDS)
    with closing(connection):
        connection.request("POST", path, body, pairs)
        response = connection.getresponse()
        content = response.read()
    if response.status != http.client.OK:
        raise WrongAnswerError(f"{server.name}, {path}: {response.status} {content[:300]!r}")
    return content
