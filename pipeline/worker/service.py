"""Service: the process of a worker, with its queue, its children and its sweeps."""

import asyncio
import contextlib
import logging
import os
import secrets
import signal
import socket
import threading
from collections.abc import Sequence
from typing import Any

import psycopg2
from procrastinate.exceptions import ConnectorException

from inference.registry import mirror
from pipeline.database import Database
from pipeline.models.published import open_registry
from pipeline.settings import Settings
from pipeline.worker import sweep
from pipeline.worker.code_version import code_version
from pipeline.worker.queue_app import QUEUE, create_app
from pipeline.worker.runner import COMMAND, Runner
from pipeline.worker.triggers import Triggers

# A task has one open run, and there are two tasks: so neither a training of the other task nor the
# scoring of many images waits for one that takes hours. Each training takes some 800 MB.
SLOTS = 2
MAX_SWEEP_SECONDS = 15.0
STOP_QUEUE_SECONDS = 1.0
RESTART_SECONDS = (1.0, 2.0, 5.0, 10.0)

logger = logging.getLogger(__name__)


class Service:
    """A worker. `command` is the command of its child processes."""

    def __init__(self, settings: Settings, command: Sequence[str] = COMMAND) -> None:
        """Raises ValueError for a setting that is not valid."""
        open_registry(settings)
        self._settings = settings
        self._name = f"{socket.gethostname()}-{os.getpid()}-{secrets.token_hex(2)}"
        self._version = code_version()
        self._database = Database("mlops pipeline worker")
        self._runner = Runner(self._database, self._name, settings.heartbeat_seconds, command)
        self._triggers = Triggers(self._database, settings, self._name)
        self._stopping = asyncio.Event()
        self._mirror_stopping = threading.Event()

    async def run(self) -> None:
        """Work until SIGTERM or SIGINT, and through outages of Postgres."""
        loop = asyncio.get_running_loop()
        loop.set_exception_handler(_log_failure)
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._stopping.set)
        logger.info("The worker has started", extra={"worker": self._name, "slots": SLOTS})
        mirroring = self._start_mirror()
        tasks = [asyncio.create_task(self._sweep()), asyncio.create_task(self._work())]
        await self._stopping.wait()
        self._mirror_stopping.set()
        # First the queue: this worker must not take the jobs of the runs that it gives back.
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks, timeout=STOP_QUEUE_SECONDS)
        await self._runner.stop()
        await asyncio.to_thread(self._forget)
        if mirroring is not None:  # its native threads must not outlive the interpreter
            await asyncio.to_thread(mirroring.join, STOP_QUEUE_SECONDS)
        logger.info("The worker has stopped", extra={"worker": self._name})

    def _start_mirror(self) -> threading.Thread | None:
        """Mirror the model registry, unless another process does that for this directory."""
        if not self._settings.models_url:
            return None
        return mirror.start(
            self._settings.models_url,
            self._settings.models_dir,
            self._settings.models_poll_seconds,
            self._mirror_stopping,
        )

    async def _work(self) -> None:
        """Take jobs. After an outage, also while runs of before it still execute."""
        failures = 0
        while True:
            try:
                await self._take_jobs(max(1, SLOTS - self._runner.active))
                failures = 0
            # Postgres is away, or other workers took this one for dead and removed its row.
            except Exception as error:  # noqa: BLE001
                logger.warning("The queue is unavailable", extra={"error": str(error).strip()})
            await asyncio.sleep(RESTART_SECONDS[min(failures, len(RESTART_SECONDS) - 1)])
            failures += 1

    async def _take_jobs(self, slots: int) -> None:
        """Take jobs until the queue fails, or until an idle moment if `slots` are too few."""
        stale_seconds = self._settings.heartbeat_seconds
        app = create_app(self._runner.execute)
        async with app.open_async():
            jobs = asyncio.create_task(
                app.run_worker_async(
                    queues=[QUEUE],
                    name=self._name,
                    concurrency=slots,
                    install_signal_handlers=False,
                    delete_jobs="always",
                    shutdown_graceful_timeout=0.1,  # the runs go on, see Runner.execute
                    update_heartbeat_interval=stale_seconds / 3,
                    stalled_worker_timeout=stale_seconds,
                )
            )
            waiting: set[asyncio.Task[None]] = {jobs}
            if slots < SLOTS:
                waiting.add(asyncio.create_task(self._runner.wait_until_idle()))
            try:
                await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in waiting:
                    task.cancel()
                with contextlib.suppress(asyncio.CancelledError):
                    await jobs

    async def _sweep(self) -> None:
        pause_seconds = min(MAX_SWEEP_SECONDS, self._settings.heartbeat_seconds / 2)
        while True:
            try:
                await asyncio.to_thread(self._sweep_once)
            except psycopg2.Error as error:
                logger.warning("A sweep failed", extra={"error": str(error).strip()})
            except OSError as error:
                logger.warning("A folder could not be removed", extra={"error": str(error)})
            await asyncio.sleep(pause_seconds)

    def _sweep_once(self) -> None:
        sweep.report_worker(
            self._database, self._name, socket.gethostname(), os.getpid(), self._version
        )
        sweep.free_runs(self._database, self._settings.heartbeat_seconds)
        self._triggers.check()
        sweep.remove_folders(self._database, self._settings.work)
        sweep.remove_unpublished(self._database, self._settings.models_dir)

    def _forget(self) -> None:
        """Remove the row of this worker."""
        with contextlib.suppress(psycopg2.Error):
            sweep.forget_worker(self._database, self._name)
        self._database.close()


def _log_failure(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """Log an exception of a task, but a line only for a job that was failed as a dead worker's."""
    error = context.get("exception")
    if isinstance(error, ConnectorException):
        reason = str(error.__cause__ or error).strip().split("\n", 1)[0]
        logger.warning("The end of a job could not be stored", extra={"error": reason})
    else:
        loop.default_exception_handler(context)
