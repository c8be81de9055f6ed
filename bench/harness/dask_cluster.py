"""A Dask scheduler and workers as processes of their own, as the commands start them."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType

from distributed import Client

from local import ports

ROOT = Path(__file__).parents[2]
START_SECONDS = 60.0
COMMAND = [sys.executable, "-m", "pipeline.scale"]


class DaskCluster:
    """A scheduler on a free port of this machine, and workers of one process each."""

    def __init__(
        self, folder: Path, protocol: str = "tcp", variables: Mapping[str, str] | None = None
    ) -> None:
        """Start a scheduler. `variables` are added to the environment of all processes."""
        self.port = ports.find_free()
        self.url = f"{protocol}://127.0.0.1:{self.port}"
        self._folder = folder
        self._protocol = protocol
        self._variables = variables or {}
        self._processes: list[subprocess.Popen[bytes]] = []
        self.scheduler = self.start_scheduler()

    def __enter__(self) -> "DaskCluster":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        for process in self._processes:
            end(process)

    def start_scheduler(self) -> subprocess.Popen[bytes]:
        """Start a scheduler on the port."""
        self.scheduler = self._start(
            "scheduler", "--port", str(self.port), "--protocol", self._protocol
        )
        return self.scheduler

    def start_worker(self) -> subprocess.Popen[bytes]:
        """Start a nanny with one worker process, in a process group of their own."""
        return self._start("worker", self.url, "--processes", "1")

    def wait_for_workers(self, count: int) -> list[int]:
        """Wait for workers, and return the ids of their processes."""
        with client_of(self.url) as client:
            client.wait_for_workers(count, timeout=START_SECONDS)
            pids: dict[str, int] = client.run(os.getpid)
        return list(pids.values())

    def _start(self, *arguments: str) -> subprocess.Popen[bytes]:
        log = self._folder / f"{len(self._processes)}-{arguments[0]}.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                [*COMMAND, *arguments],
                cwd=ROOT,
                env={**os.environ, **self._variables},
                stdout=output,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._processes.append(process)
        return process


@contextmanager
def client_of(url: str) -> Iterator[Client]:
    """Connect to a scheduler, also to one that is starting."""
    try:
        client = _connect(url)
    except AssertionError:  # on a busy machine, Dask's thread may not start within ten seconds
        client = _connect(url)
    try:
        yield client
    finally:
        client.close()  # type: ignore[no-untyped-call]


def _connect(url: str) -> Client:
    return Client(url, timeout=START_SECONDS, set_as_default=False)  # type: ignore[no-untyped-call]


def end(process: subprocess.Popen[bytes]) -> None:
    """Kill a process and its group."""
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
