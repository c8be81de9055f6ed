"""Server under test: start, memory, CPU time and stop."""

import contextlib
import http.client
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil

from bench.fixtures.http_requests import BASE_PATH, CONTENT_TYPE
from bench.fixtures.models import CACHE, ROOT
from bench.harness import wrk
from bench.harness.wrk import Load
from inference.prediction_log.backlog import pending_bytes
from local import ports

START_SECONDS = 120
READY_PATH = f"{BASE_PATH}/readyz"
STOP_SECONDS = 15
RESPONSE_TIMEOUT_SECONDS = 60
POLL_SECONDS = 0.005
# CPU time within 20 ms that still counts as idle: one tick of the accounting clock.
IDLE_CPU_SECONDS = 0.01
SHIP_TIMEOUT_SECONDS = 30


class ServerStartError(Exception):
    """The server did not become ready. The message has the end of its log."""


@dataclass(frozen=True)
class Server:
    """A running server.

    `cold_start_seconds` is the time from the spawn to the first successful readiness check.
    """

    name: str
    process: psutil.Popen
    port: int
    cold_start_seconds: float
    journal: Path | None = None  # of a service that ships its log to Postgres

    def processes(self) -> list[psutil.Process]:
        """Return its processes, children included."""
        return [self.process, *self.process.children(recursive=True)]

    def memory_bytes(self) -> int:
        """Return the resident memory of its processes."""
        return sum(process.memory_info().rss for process in self.processes())

    def cpu_seconds(self) -> float:
        """Return the CPU time of its processes, in steps of 10 ms."""
        times = [process.cpu_times() for process in self.processes()]
        return sum(cpu.user + cpu.system for cpu in times)

    def wait_until_idle(self) -> None:
        """Wait until the server is idle.

        After a load there may be abandoned requests and a log to ship.
        """
        deadline = time.monotonic() + SHIP_TIMEOUT_SECONDS
        while (
            self.journal is not None and pending_bytes(self.journal) and time.monotonic() < deadline
        ):
            time.sleep(POLL_SECONDS * 4)
        before = -1.0
        while (now := self.cpu_seconds()) > before + IDLE_CPU_SECONDS:
            before = now
            time.sleep(POLL_SECONDS * 4)

    def load(
        self,
        requests: Path,
        connections: int,
        seconds: int,
        headers: Sequence[str] = wrk.FORM_HEADERS,
    ) -> Load:
        """Send the requests of a file in rotation, then wait until the server is idle.

        Raises LoadGenerationError.
        """
        measured = wrk.run(self.port, requests, connections, seconds, headers)
        self.wait_until_idle()
        return measured

    def has_loaded(self, library: str) -> bool:
        """Return whether a process has mapped a file whose path contains `library`."""
        return any(
            library in region.path
            for process in self.processes()
            for region in process.memory_maps()
        )

    def post(self, path: str, body: bytes) -> tuple[int, bytes]:
        """Send one form over a new connection and return the status and the body."""
        with self.open_response(path, body) as response:
            return response.status, response.read()

    @contextlib.contextmanager
    def open_response(
        self, path: str, body: bytes, headers: Mapping[str, str] | None = None
    ) -> Iterator[http.client.HTTPResponse]:
        """Send one form over a new connection and return the response as a stream."""
        with contextlib.closing(
            http.client.HTTPConnection("127.0.0.1", self.port, timeout=RESPONSE_TIMEOUT_SECONDS)
        ) as connection:
            connection.request(
                "POST", path, body, {"Content-Type": CONTENT_TYPE, **(headers or {})}
            )
            yield connection.getresponse()


@contextlib.contextmanager
def run_server(
    name: str,
    command: list[str],
    environment: Mapping[str, str],
    *,
    cores: list[int] | None = None,
    journal: Path | None = None,
    ready_path: str = READY_PATH,
) -> Iterator[Server]:
    """Run a server on a free port, which replaces "{port}" in the command and the environment.

    It is ready when GET `ready_path` is answered with 200. Stops it at the end. Raises
    ServerStartError.
    """
    port = ports.find_free()
    # Use compiled modules as in production: a start without them takes seconds and megabytes more.
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
        _wait_until_ready(process, port, ready_path, log_file)
        cold_start_seconds = time.perf_counter() - started
        yield Server(name, process, port, cold_start_seconds, journal)
    finally:
        _stop(process)


def start_reference(
    name: str, module: str, model: Path
) -> contextlib.AbstractContextManager[Server]:
    """Start a module of bench/servers with a model file."""
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
    return run_server(
        name,
        [sys.executable, "-m", "uvicorn", f"bench.servers.{module}:create_app", *options],
        {"BENCH_MODEL": str(model)},
    )


def start_service(
    name: str, models: Path, *, cores: list[int] | None = None, **settings: Any
) -> contextlib.AbstractContextManager[Server]:
    """Start the service with a model directory.

    By default it has one worker and no cache. It logs to a separate journal, and from there to the
    Postgres of the environment.
    """
    folder = CACHE / "service" / name.replace(" ", "-")
    shutil.rmtree(folder, ignore_errors=True)
    environment = {
        "API_HOST": "127.0.0.1",
        "API_PORT": "{port}",
        "API_WORKERS": "1",
        "CACHE_ENTRIES": "0",
        "MODELS_DIR": str(models),
        "COMPILED_DIR": str(CACHE / "compiled"),
        "JOURNAL_DIR": str(folder / "journal"),
        "IMAGES_URL": str(folder / "images"),
        "MONITOR_METRICS_PORT": "0",
        **{key: str(value) for key, value in settings.items()},
    }
    is_shipped = not settings.keys() & {"JOURNAL_BYTES", "PGHOST"}
    journal = Path(environment["JOURNAL_DIR"]) if is_shipped else None
    return run_server(
        name, [sys.executable, "-m", "inference"], environment, cores=cores, journal=journal
    )


def _wait_until_ready(process: psutil.Popen, port: int, path: str, log: Path) -> None:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and process.poll() is None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=RESPONSE_TIMEOUT_SECONDS)
        with contextlib.suppress(OSError, http.client.HTTPException):
            connection.request("GET", path)
            if connection.getresponse().status == http.client.OK:
                connection.close()
                return
        connection.close()
        time.sleep(POLL_SECONDS)
    raise ServerStartError(
        f"{log.stem} did not start. From {log.relative_to(ROOT)}:\n"
        f"{log.read_text(errors='replace')[-500:]}"
    )


def _stop(process: psutil.Popen) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        tree = [process, *process.children(recursive=True)]
        process.terminate()
        _, alive = psutil.wait_procs(tree, STOP_SECONDS)
        for survivor in alive:
            survivor.kill()
        process.wait()
