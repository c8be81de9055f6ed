"""What the tests of faults share.

How long they run, a stack that is whole again before each, and figures.
"""

import os
import subprocess
import time
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import psutil
import psycopg2

from inference.prediction_log.backlog import pending_seconds
from tests.integration.prediction_log.test_prediction_log import Stack, eventually
from tests.support.load import Answer

FULL = os.environ.get("FAULTS") == "full"
MODELS = ("mnist_experiment_1__softmax_regression", "mnist_experiment_12__lenet5")
START_SECONDS = 60
EXIT_SECONDS = 30
DRAIN_SECONDS = 600

Seen = TypeVar("Seen")


def chosen(short: int, full: int) -> int:
    """Return a number of the short form, or of the full one, which FAULTS=full asks for."""
    return full if FULL else short


def figure(what: str, value: str) -> None:
    """Print a figure."""
    print(f"\n  {what}: {value}", flush=True)


def milliseconds(seconds: float) -> str:
    """Return a time for people."""
    return f"{seconds * 1000:.1f} ms"


class Faulty(Stack):
    """The stack, and what may happen to it."""

    def revive(self) -> None:
        """Start what does not run."""
        if self.postgres.pid is None:
            self.start_database()
        elif not self.postgres.is_running():
            self.kill_database()
            self.postgres.open()
        if self.service is None or self.service.poll() is not None:
            self.start_service()
        eventually(lambda: len(self.listeners()) == 2, START_SECONDS)

    def kill_database(self) -> None:
        """End the postmaster as a crash does, which its children notice."""
        self.postgres.kill()

    def execute(self, statement: str) -> None:
        """Execute what may not be part of a transaction."""
        connection = psycopg2.connect(self.postgres.settings.dsn)
        connection.autocommit = True
        with connection.cursor() as cursor:
            cursor.execute(statement)
        connection.close()

    def stop_service(self) -> float:
        """Tell the service to end, and return how many seconds it took."""
        assert self.service is not None
        began = time.monotonic()
        self.service.terminate()
        try:
            self.service.wait(EXIT_SECONDS)
        except subprocess.TimeoutExpired:
            self.kill_service(whole_group=True)
        return time.monotonic() - began

    def processes(self) -> list[psutil.Process]:
        """Return the service's processes, without those that compile."""
        assert self.service is not None
        parent = psutil.Process(self.service.pid)
        return [
            each
            for each in (parent, *parent.children(recursive=True))
            if not _command(each).count("inference.compiler.worker")
        ]

    def listeners(self) -> list[psutil.Process]:
        """Return the workers that listen."""
        return [
            each
            for each in self.processes()
            if any(one.status == psutil.CONN_LISTEN for one in _connections(each))
        ]

    def shipper(self) -> psutil.Process | None:
        """Return the shipper, None while there is none."""
        return next(
            (each for each in self.processes() if _command(each).endswith("inference.background")),
            None,
        )

    def clients_of(self, worker: psutil.Process) -> set[int]:
        """Return the ports of the clients that are connected to a worker."""
        return {
            one.raddr.port
            for one in _connections(worker)
            if one.raddr and one.laddr.port == self.port
        }

    def descriptors(self) -> int:
        """Return how many files and connections the service's processes have open."""
        return sum(each.num_fds() for each in self.processes())

    def memory_bytes(self) -> int:
        """Return the resident memory of the service's processes."""
        return sum(_resident(each) for each in self.processes())

    def lost_and_doubled(self, answers: Sequence[Answer]) -> tuple[set[str], int]:
        """Return the ids of the answered requests that Postgres does not have, and how many it has
        more than once.

        The ids that a load sends are its own.
        """
        acknowledged = {answer.request_id for answer in answers if answer.status == 200}
        stored = Counter(
            request_id for (request_id,) in self.rows("SELECT request_id FROM prediction_events")
        )
        return acknowledged - stored.keys(), sum(stored[each] > 1 for each in acknowledged)

    def drained_seconds(self) -> float:
        """Wait until Postgres has what the journal holds at this moment, and return how long that
        took.
        """
        began = time.time()
        eventually(lambda: pending_seconds(self.journal) < time.time() - began, DRAIN_SECONDS)
        return time.time() - began


def _command(process: psutil.Process) -> str:
    return _of(lambda: " ".join(process.cmdline()), "")


def _resident(process: psutil.Process) -> int:
    return _of(lambda: int(process.memory_info().rss), 0)


def _connections(process: psutil.Process) -> list[Any]:
    return _of(lambda: process.net_connections("tcp"), [])


def _of(look: Callable[[], Seen], otherwise: Seen) -> Seen:
    """Look at a process that may have ended meanwhile."""
    try:
        return look()
    except (psutil.NoSuchProcess, psutil.ZombieProcess):
        return otherwise
