"""A server under measurement: its start, its processes' memory and time, its end."""

import contextlib
import http.client
import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from bench.fixtures.http_requests import BASE_PATH, CONTENT_TYPE
from bench.fixtures.models import CACHE, ROOT
from bench.harness import wrk
from bench.harness.wrk import Load
from inference.prediction_log.backlog import pending_bytes

START_SECONDS = 120
STOP_SECONDS = 15
ANSWER_SECONDS = 60
POLL_SECONDS = 0.005
# CPU between two looks, 20 ms apart, that still counts as idle: a step of the clock that counts it.
SETTLED_SECONDS = 0.01
SHIP_SECONDS = 30


class ServerStartError(Exception):
    """A server did not become ready; the message names its log."""


@dataclass(frozen=True)
class Server:
    """A running server.

    `cold_start_seconds` is from its spawn to its first answer that it is ready.
    """

    name: str
    process: psutil.Popen
    port: int
    cold_start_seconds: float
    journal: Path | None = None  # of a service whose log goes to a Postgres

    def processes(self) -> list[psutil.Process]:
        """Return its processes, children included."""
        return [self.process, *self.process.children(recursive=True)]

    def memory_bytes(self) -> int:
        """Return the resident memory of its processes."""
        return sum(process.memory_info().rss for process in self.processes())

    def cpu_seconds(self) -> float:
        """Return the time that its processes have computed, in steps of 10 ms."""
        times = [process.cpu_times() for process in self.processes()]
        return sum(each.user + each.system for each in times)

    def settle(self) -> None:
        """Wait until it computes no more.

        A load may leave requests that nobody waits for, and a log to be shipped.
        """
        deadline = time.monotonic() + SHIP_SECONDS
        while (
            self.journal is not None and pending_bytes(self.journal) and time.monotonic() < deadline
        ):
            time.sleep(POLL_SECONDS * 4)
        before = -1.0
        while (now := self.cpu_seconds()) > before + SETTLED_SECONDS:
            before = now
            time.sleep(POLL_SECONDS * 4)

    def load(self, requests: Path, connections: int, seconds: int) -> Load:
        """Send the requests of a file in rotation, and let it settle. Raises LoadGenerationError."""
        measured = wrk.run(self.port, requests, connections, seconds)
        self.settle()
        return measured

    def holds(self, library: str) -> bool:
        """Tell whether a file whose path contains `library` is mapped into one of its processes."""
        return any(
            library in region.path
            for process in self.processes()
            for region in process.memory_maps()
        )

    def post(self, path: str, body: bytes) -> tuple[int, bytes]:
        """Send one form over a connection of its own, and return status and answer."""
        with self.opened(path, body) as response:
            return response.status, response.read()

    @contextlib.contextmanager
    def opened(
        self, path: str, body: bytes, headers: Mapping[str, str] | None = None
    ) -> Iterator[http.client.HTTPResponse]:
        """Send one form over a connection of its own, and give the answer as it comes."""
        with contextlib.closing(
            http.client.HTTPConnection("127.0.0.1", self.port, timeout=ANSWER_SECONDS)
        ) as connection:
            connection.request(
                "POST", path, body, {"Content-Type": CONTENT_TYPE, **(headers or {})}
            )
            yield connection.getresponse()


@contextlib.contextmanager
def running(
    name: str,
    command: list[str],
    environment: Mapping[str, str],
    *,
    cores: list[int] | None = None,
    journal: Path | None = None,
) -> Iterator[Server]:
    """Start a server on a free port ("{port}" in the command and the environment), and stop it in
    the end. Raises ServerStartError.
    """
    port = free_port()
    # with compiled modules, as people have them: a start without them takes seconds and megabytes
    # more
    inherited = {
        key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"
    }
    variables = {
        **inherited,
        **{key: value.replace("{port}", str(port)) for key, value in environment.items()},
    }
    log_file = CACHE / "logs" / f"{name}.log"
    log_file.parent.mkdir(parents=True, exist_ok=True)
    with log_file.open("wb") as log:
        started = time.perf_counter()
        arguments = [argument.replace("{port}", str(port)) for argument in command]
        process = psutil.Popen(
            arguments, cwd=ROOT, env=variables, stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
    try:
        if cores is not None:
            process.cpu_affinity(cores)
        _wait_until_ready(process, port, log_file)
        cold_start_seconds = time.perf_counter() - started
        yield Server(name, process, port, cold_start_seconds, journal)
    finally:
        _stop(process)


def free_port() -> int:
    """Return a port on which nothing listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def reference(name: str, module: str, model: Path) -> contextlib.AbstractContextManager[Server]:
    """Start a module of bench/servers for a model file."""
    options = [
        "--factory",
        "--port",
        "{port}",
        "--loop",
        "uvloop",
        "--http",
        "httptools",
        "--no-access-log",
        "--log-level",
        "warning",
    ]
    return running(
        name,
        [sys.executable, "-m", "uvicorn", f"bench.servers.{module}:create_app", *options],
        {"BENCH_MODEL": str(model)},
    )


def ours(
    name: str, models: Path, *, cores: list[int] | None = None, **settings: Any
) -> contextlib.AbstractContextManager[Server]:
    """Start the service over a model directory.

    One worker and no cache, unless the settings say otherwise.

    It logs to a journal of its own, and from there to the Postgres of the environment.
    """
    own = CACHE / "service" / name.replace(" ", "-")
    shutil.rmtree(own, ignore_errors=True)
    environment = {
        "API_HOST": "127.0.0.1",
        "API_PORT": "{port}",
        "API_WORKERS": "1",
        "CACHE_ENTRIES": "0",
        "MODELS_DIR": str(models),
        "COMPILED_DIR": str(CACHE / "compiled"),
        "JOURNAL_DIR": str(own / "journal"),
        "IMAGES_URL": str(own / "images"),
        **{key: str(value) for key, value in settings.items()},
    }
    is_shipped = not settings.keys() & {"JOURNAL_BYTES", "PGHOST"}
    journal = Path(environment["JOURNAL_DIR"]) if is_shipped else None
    return running(
        name, [sys.executable, "-m", "inference"], environment, cores=cores, journal=journal
    )


def _wait_until_ready(process: psutil.Popen, port: int, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=ANSWER_SECONDS)
        with contextlib.suppress(OSError, http.client.HTTPException):
            connection.request("GET", f"{BASE_PATH}/readyz")
            if connection.getresponse().status == http.client.OK:
                connection.close()
                return
        connection.close()
        time.sleep(POLL_SECONDS)
    raise ServerStartError(
        f"{log.relative_to(ROOT)} says why {log.stem} did not start: {log.read_text(errors='replace')[-500:]}"
    )


def _stop(process: psutil.Popen) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        tree = [process, *process.children(recursive=True)]
        process.terminate()
        _, alive = psutil.wait_procs(tree, STOP_SECONDS)
        for left in alive:
            left.kill()
        process.wait()
