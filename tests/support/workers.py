"""Workers of the pipeline as processes, with quick steps, and the rows that they write."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from pipeline.steps import plan
from tests.support.database import connect

HEARTBEAT_SECONDS = 4
REQUEST = "SELECT run_id, joined FROM request_run('mnist', 'a', %s, %s, 'test', 'a test')"
STEPS = "SELECT name, attempt, state, error FROM pipeline_steps WHERE run_id = %s ORDER BY 1, 2"


class Workers:
    """Worker processes on one database. Each leads its own process group."""

    def __init__(self, environment: Mapping[str, str], folder: Path) -> None:
        self.database = dict(environment)
        self.work = folder / "work"
        self.log = folder / "workers.log"
        self.environment = {
            **os.environ,
            **environment,
            "PGUSER": "mlops_pipeline",
            "PGPASSWORD": "pass123",
            "PIPELINE_WORK": str(self.work),
            "PIPELINE_HEARTBEAT_SECONDS": str(HEARTBEAT_SECONDS),
        }
        self.processes: list[subprocess.Popen[bytes]] = []

    def start(self, **settings: str) -> subprocess.Popen[bytes]:
        """Start a worker."""
        with self.log.open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "tests.support.fake_steps", "worker"],
                env={**self.environment, **settings},
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self.processes.append(process)
        return process

    def stop(self) -> None:
        """Kill all workers."""
        for process in self.processes:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()

    def rows(self, statement: str, *arguments: object) -> list[tuple[Any, ...]]:
        """Run a statement as the owner and return its rows."""
        with (
            closing(connect(self.database)) as connection,
            connection,
            connection.cursor() as cursor,
        ):
            cursor.execute(statement, arguments)
            return cursor.fetchall() if cursor.description else []

    def request(self, kind: str = "manual", **params: object) -> tuple[int, bool]:
        """Request a run, and return its id and whether it joined an open one."""
        [(run_id, joined)] = self.rows(REQUEST, json.dumps(params), kind)
        return run_id, joined

    def state(self, run_id: int) -> tuple[str, str | None]:
        """Return the state of a run, and its reason."""
        [row] = self.rows("SELECT state, reason FROM pipeline_runs WHERE id = %s", run_id)
        return row[0], row[1]

    def worker_of(self, run_id: int) -> str | None:
        """Return the name of the worker that has the lease of a run."""
        statement = "SELECT worker FROM pipeline_runs WHERE id = %s AND lease_token IS NOT NULL"
        rows = self.rows(statement, run_id)
        return rows[0][0] if rows else None

    def process_of(self, run_id: int) -> subprocess.Popen[bytes]:
        """Return the worker that has a run."""
        name = self.worker_of(run_id)
        return next(process for process in self.processes if f"-{process.pid}-" in f"{name}")

    def steps(self, run_id: int) -> list[tuple[str, int, str, str | None]]:
        """Return name, attempt, state and error of each attempt."""
        return [(row[0], row[1], row[2], row[3]) for row in self.rows(STEPS, run_id)]

    def succeeded(self, run_id: int) -> list[str]:
        """Return the names of the steps that succeeded, sorted, each as often as it did."""
        return [name for name, _, state, _ in self.steps(run_id) if state == "SUCCEEDED"]

    def trace(self, run_id: int) -> list[str]:
        """Return the names of the steps that came to their end, in their order."""
        lines = (self.work / str(run_id) / "trace").read_text().splitlines()
        return [line.split()[0] for line in lines]

    def wait(self, condition: Callable[[], object], seconds: float = 60) -> None:
        """Wait until a condition holds. Fails with the log of the workers."""
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, self.log.read_text()[-6000:]
            time.sleep(0.05)

    def wait_until_over(self, run_id: int, seconds: float = 60) -> tuple[str, str | None]:
        """Wait for the end of a run, and return its state and reason."""
        self.wait(lambda: self.state(run_id)[0] not in ("QUEUED", "RUNNING"), seconds)
        return self.state(run_id)

    def wait_for_step(self, run_id: int, name: str, seconds: float = 60) -> None:
        """Wait until a step runs."""
        self.wait(lambda: (name, "RUNNING") in [(s[0], s[2]) for s in self.steps(run_id)], seconds)


ALL = sorted(plan.RETRAIN)
