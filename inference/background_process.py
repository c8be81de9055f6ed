"""Background process supervisor: runs a module as a child process and restarts it."""

import contextlib
import logging
import subprocess
import sys
import threading
import time
from types import TracebackType

MIN_RESTART_SECONDS, MAX_RESTART_SECONDS = 1.0, 30.0  # doubled with each failure
STABLE_SECONDS = 60.0  # after this time a failure counts as the first one
STOP_SECONDS = 5.0  # for a child that is not told how long it may take
KILL_SECONDS = 0.5  # after the time that a child was told

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
        self._stop_seconds = STOP_SECONDS

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
        """Close the child's input, wait for its end, and kill it if it takes too long."""
        self.hang_up()
        child = self._child
        if child is not None:
            try:
                child.wait(self._stop_seconds)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
        self._supervisor.join()

    def hang_up(self, seconds: float | None = None) -> None:
        """Close the child's input, which asks it to end, without waiting.

        The child reads the number of `seconds` that its end may take, if it is given.
        """
        with self._start_lock:
            self._stopping.set()
        child = self._child
        if child is None or child.stdin is None or child.stdin.closed:
            return
        with contextlib.suppress(OSError):  # the child has ended
            if seconds is not None:
                self._stop_seconds = seconds + KILL_SECONDS
                child.stdin.write(f"{seconds:.1f}".encode())
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
