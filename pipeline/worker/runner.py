"""Runner: takes the lease of a run and supervises the child process that executes it."""

import asyncio
import contextlib
import logging
import sys
from collections.abc import Sequence
from dataclasses import dataclass, field

import psutil
import psycopg2

from pipeline.database import Database
from pipeline.worker import lease as leases
from pipeline.worker.lease import DATABASE_AWAY, Lease

COMMAND = (sys.executable, "-m", "pipeline.worker.child")
STOP_SECONDS = 3.0  # for the children; `make up` gives the worker six seconds

logger = logging.getLogger(__name__)


@dataclass
class Runner:
    """Executes runs in child processes.

    Attributes:
        database: connection of the worker.
        worker: name of the worker.
        stale_seconds: age of a heartbeat after which a run may be taken from its worker.
        command: command of the child, without the run, the token and the worker's name.

    """

    database: Database
    worker: str
    stale_seconds: float
    command: Sequence[str] = COMMAND
    _tasks: set[asyncio.Task[None]] = field(default_factory=set, init=False)
    _children: set[asyncio.subprocess.Process] = field(default_factory=set, init=False)
    _is_stopping: bool = field(default=False, init=False)

    @property
    def active(self) -> int:
        """Number of runs that are executed now."""
        return len(self._tasks)

    async def execute(self, run_id: int) -> None:
        """Execute a run to its end, unless another worker has it or it is over.

        The run goes on when the caller is cancelled, as happens to jobs while Postgres is away.
        """
        task = asyncio.create_task(self._execute(run_id))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        await asyncio.shield(task)

    async def wait_until_idle(self) -> None:
        """Return when no run is executed."""
        while self._tasks:
            await asyncio.wait(self._tasks)

    async def stop(self) -> None:
        """End the children within `STOP_SECONDS` and give their runs back."""
        self._is_stopping = True
        for child in self._children:
            with contextlib.suppress(ProcessLookupError):
                child.terminate()
        if self._tasks:
            _done, pending = await asyncio.wait(self._tasks, timeout=STOP_SECONDS)
            for child in self._children:
                _kill_tree(child.pid)
            if pending:
                await asyncio.wait(pending, timeout=STOP_SECONDS)

    async def _execute(self, run_id: int) -> None:
        if self._is_stopping:
            return
        lease = await asyncio.to_thread(
            leases.take, self.database, run_id, self.worker, self.stale_seconds
        )
        if lease is None:
            logger.info("The run is over, or another worker has it", extra={"run": run_id})
            return
        logger.info("Executing a run", extra={"run": run_id})
        child = await asyncio.create_subprocess_exec(
            *self.command,
            str(run_id),
            lease.token,
            self.worker,
            stdin=asyncio.subprocess.PIPE,  # closes when this process ends, however it does
        )
        self._children.add(child)
        if self._is_stopping:
            child.terminate()
        status = await child.wait()
        self._children.discard(child)
        await asyncio.to_thread(self._release, lease, status)

    def _release(self, lease: Lease, status: int) -> None:
        """Give back a run that the child has not ended."""
        died = status not in (0, DATABASE_AWAY) and not self._is_stopping
        if died:
            error = f"Its worker died (status {status})."
        elif status == DATABASE_AWAY:
            error = "Postgres was unavailable."
        else:
            error = "Its worker was stopped."
        try:
            if leases.release(self.database, lease, error, died=died):
                logger.warning("A run was given back", extra={"run": lease.run_id, "error": error})
        except psycopg2.Error as failure:
            # Its heartbeat stops here, so a sweep frees it.
            logger.warning("A run could not be given back", extra={"error": str(failure).strip()})


def _kill_tree(pid: int) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):
        parent = psutil.Process(pid)
        for process in (*parent.children(recursive=True), parent):
            with contextlib.suppress(psutil.NoSuchProcess):
                process.kill()
