"""Background process supervisor: runs a module as a child process and restarts it."""

import logging
import subprocess
import sys
import threading
import time
from types import TracebackType

MIN_RESTART_SECONDS, MAX_RESTART_SECONDS = 1.0, 30.0  # doubled with each failure
STABLE_SECONDS = 60.0  # after this time a failure counts as the first one
STOP_SECONDS = 5.0  # more than the shipper needs to ship the remaining records

logger = logging.getLogger(__name__)


class BackgroundProcess:
    """Context manager: the child process runs inside the context."""

    def __init__(self, module: str, name: str) -> None:
        """`module` is run with `python -m`. `name` stands for it in the log."""
        self._module, self._name = module, name
        self._stopping = threading.Event()
        self._start_lock = threading.Lock()
        self._supervisor = threading.Thread(target=self._supervise, name=name, daemon=True)
        self._child: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> None:
        """Start the child."""
        self._start()
        self._supervisor.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close the child's input, wait for its end, and kill it after STOP_SECONDS."""
        self.hang_up()
        child = self._child
        if child is not None:
            try:
                child.wait(STOP_SECONDS)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
        self._supervisor.join()

    def hang_up(self) -> None:
        """Close the child's input, which asks it to end, without waiting."""
        with self._start_lock:
            self._stopping.set()
        child = self._child
        if child is not None and child.stdin is not None:
            child.stdin.close()  # also happens when this process is killed

    def _start(self) -> None:
        with self._start_lock:
            if not self._stopping.is_set():
                self._child = subprocess.Popen(
                    [sys.executable, "-m", self._module], stdin=subprocess.PIPE
                )

    def _supervise(self) -> None:
        pause_seconds = MIN_RESTART_SECONDS
        while (child := self._child) is not None:
            started_at = time.monotonic()
            status = child.wait()
            if self._stopping.is_set():
                return
            if child.stdin is not None:
                child.stdin.close()
            is_stable = time.monotonic() - started_at > STABLE_SECONDS
            pause_seconds = (
                MIN_RESTART_SECONDS if is_stable else min(2 * pause_seconds, MAX_RESTART_SECONDS)
            )
            logger.error(
                "The %s ended with status %d. It restarts in %.0f s.",
                self._name,
                status,
                pause_seconds,
            )
            if self._stopping.wait(pause_seconds):
                return
            self._start()
