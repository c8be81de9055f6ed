"""A Dask cluster of a test: a scheduler and workers with one thread each, on loopback."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from types import TracebackType

from local import ports

ROOT = Path(__file__).parents[2]


class Cluster:
    """Context manager. `url` is the address of the scheduler, also after a restart."""

    def __init__(self) -> None:
        self._port = ports.find_free()
        self._processes: list[subprocess.Popen[bytes]] = []
        self.url = f"tcp://127.0.0.1:{self._port}"

    def __enter__(self) -> "Cluster":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.kill()

    def start(self, workers: int) -> None:
        """Start the scheduler and workers, without waiting for them."""
        self._run("dask_scheduler", "--port", str(self._port))
        for _ in range(workers):
            self._run("dask_worker", self.url, "--nthreads", "1", "--memory-limit", "0")

    def kill(self) -> None:
        """Kill all processes of the cluster."""
        for process in self._processes:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
        self._processes.clear()

    def _run(self, module: str, *arguments: str) -> None:
        command = [sys.executable, "-m", f"distributed.cli.{module}", *arguments]
        options = ["--host", "127.0.0.1", "--no-dashboard"]
        self._processes.append(
            subprocess.Popen(
                [*command, *options],
                cwd=ROOT,
                env=os.environ | {"PYTHONPATH": str(ROOT)},
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        )
