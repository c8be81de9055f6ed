"""Child process of the worker: executes one run, `python -m pipeline.worker.child RUN TOKEN NAME`.

A process of its own gives the memory of a step back, and survives no worker: its standard input is
a pipe of the worker, and it ends when that closes.
"""

import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from types import FrameType
from typing import NoReturn

import psycopg2

from pipeline.database import Database
from pipeline.settings import Settings, from_environment
from pipeline.steps import plan
from pipeline.worker.code_version import code_version
from pipeline.worker.executor import RETRY_SECONDS, Executor
from pipeline.worker.lease import DATABASE_AWAY, Heartbeat, Lease
from servicekit import json_logging

END_SECONDS = 5.0  # after the loss of the lease, before the process ends without a cleanup

logger = logging.getLogger(__name__)


class Interruption(BaseException):
    """The worker stops, or another one has the run. No step can mistake it for a failure."""


def execute(
    lease: Lease,
    settings: Settings,
    load: Callable[[str], plan.Step] = plan.load,
    retry_seconds: tuple[float, ...] = RETRY_SECONDS,
) -> int:
    """Execute a run in this process, and return its exit code."""
    threading.Thread(target=_end_with_worker, name="worker", daemon=True).start()
    for number in (signal.SIGTERM, signal.SIGUSR1):
        signal.signal(number, _interrupt)
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C: the worker decides
    heartbeat = Heartbeat(lease, settings.heartbeat_seconds, _on_loss)
    heartbeat.start()
    database = Database(f"mlops pipeline run {lease.run_id}")
    executor = Executor(lease, settings, database, code_version(), load, retry_seconds)
    try:
        executor.execute()
    except Interruption:
        logger.info("The run was interrupted", extra={"run": lease.run_id})
    except (psycopg2.OperationalError, psycopg2.InterfaceError):
        logger.exception("Postgres is unavailable", extra={"run": lease.run_id})
        return DATABASE_AWAY
    return 0


def _interrupt(_number: int, _frame: FrameType | None) -> NoReturn:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)  # once: the cleanup is not interrupted
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)
    raise Interruption


def _on_loss() -> None:
    """Interrupt the step: a worker that was frozen must not go on where another one continued."""
    end = threading.Timer(END_SECONDS, os._exit, [1])
    end.daemon = True
    end.start()
    signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGUSR1)


def _end_with_worker() -> NoReturn:
    while os.read(0, 1):
        pass
    os._exit(1)


def main(arguments: Sequence[str]) -> int:
    """Execute the run of the arguments and return the exit code."""
    json_logging.configure()
    run_id, token, worker = arguments
    return execute(Lease(int(run_id), token, worker), from_environment())


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
