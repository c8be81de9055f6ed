"""Faulty stack: a service and a Postgres whose processes a test kills, stops and measures."""

import subprocess
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import psutil
import psycopg2
import requests

from inference.prediction_log.backlog import pending_seconds
from tests.integration.prediction_log.test_prediction_log import Stack, eventually
from tests.support.load import Answer

MODELS = ("mnist_experiment_1__softmax_regression", "mnist_experiment_12__lenet5")
START_SECONDS = 60
EXIT_SECONDS = 30
DRAIN_SECONDS = 600

Value = TypeVar("Value")


def print_figure(name: str, value: str) -> None:
    """Print a print_figure."""
    print(f"\n  {name}: {value}", flush=True)


def milliseconds(seconds: float) -> str:
    """Return a duration in milliseconds as text."""
    return f"{seconds * 1000:.1f} ms"


class FaultyStack(Stack):
    """The stack, with the faults that may happen to it."""

    def restore(self) -> None:
        """Start every service that is not running."""
        if self.postgres.pid is None:
            self.start_database()
        elif not self.postgres.is_running():
            self.kill_database()
            self.postgres.open()
        if self.service is None or self.service.poll() is not None:
            self.start_service()
        eventually(lambda: len(self.listeners()) == 2, START_SECONDS)

    def kill_database(self) -> None:
        """Kill the postmaster; its children notice and exit."""
        self.postgres.kill()

    def execute(self, statement: str) -> None:
        """Execute a statement outside a transaction."""
        connection = psycopg2.connect(self.postgres.settings.dsn)
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(statement)
        connection.close()

    def stop_service(self) -> float:
        """Terminate the service, and return the seconds until it exited."""
        assert self.service is not None
        started = time.monotonic()
        self.service.terminate()
        try:
            self.service.wait(EXIT_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill_service(whole_group=True)
        return time.monotonic() - started

    def readiness(self) -> tuple[int, Any]:
        """Return the status and document of GET /readyz."""
        response = requests.get(self.url("readyz"), timeout=5)
        return response.status_code, response.json()

    def processes(self) -> list[psutil.Process]:
        """Return the processes of the service, without compilers."""
        assert self.service is not None
        parent = psutil.Process(self.service.pid)
        return [
            process
            for process in (parent, *parent.children(recursive=True))
            if not _command(process).count("inference.compiler.worker")
        ]

    def listeners(self) -> list[psutil.Process]:
        """Return the workers that are listening. The monitor listens on another port."""
        return [
            process
            for process in self.processes()
            if any(
                connection.status == psutil.CONN_LISTEN and connection.laddr.port == self.port
                for connection in _connections(process)
            )
        ]

    def shipper(self) -> psutil.Process | None:
        """Return the shipper, None while it is not running."""
        return next(
            (
                process
                for process in self.processes()
                if _command(process).endswith("inference.background")
            ),
            None,
        )

    def clients_of(self, worker: psutil.Process) -> set[int]:
        """Return the ports of a worker's clients."""
        return {
            connection.raddr.port
            for connection in _connections(worker)
            if connection.raddr and connection.laddr.port == self.port
        }

    def descriptors(self) -> int:
        """Return the number of open files and connections of the service."""
        return sum(process.num_fds() for process in self.processes())

    def memory_bytes(self) -> int:
        """Return the resident memory of the service in bytes."""
        return sum(_resident(process) for process in self.processes())

    def lost_and_duplicated(self, answers: Sequence[Answer]) -> tuple[set[str], int]:
        """Return the acknowledged ids that Postgres lacks, and the number of duplicates.

        Each load sends ids of its own.
        """
        acknowledged = {answer.request_id for answer in answers if answer.status == 200}
        stored = Counter(
            request_id for (request_id,) in self.rows("SELECT request_id FROM prediction_events")
        )
        return acknowledged - stored.keys(), sum(
            stored[request_id] > 1 for request_id in acknowledged
        )

    def drain_seconds(self) -> float:
        """Wait until Postgres has all that the journal holds now; return the seconds it took."""
        started = time.time()
        eventually(lambda: pending_seconds(self.journal) < time.time() - started, DRAIN_SECONDS)
        return time.time() - started


def _command(process: psutil.Process) -> str:
    return _read(lambda: " ".join(process.cmdline()), "")


def _resident(process: psutil.Process) -> int:
    return _read(lambda: int(process.memory_info().rss), 0)


def _connections(process: psutil.Process) -> list[Any]:
    return _read(lambda: process.net_connections("tcp"), [])


def _read(read: Callable[[], Value], otherwise: Value) -> Value:
    """Read a value of a process; return `otherwise` if the process has ended."""
    try:
        return read()
    except (psutil.NoSuchProcess, psutil.ZombieProcess):
        return otherwise
