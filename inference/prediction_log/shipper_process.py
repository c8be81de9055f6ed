"""Runs the shipper as a child process as long as the service runs, and again when it dies."""

import logging
import subprocess
import sys
import threading
import time
from types import TracebackType

RESTART_SECONDS = (1.0, 30.0)  # after its first death, and at most when it dies again and again
LONG_SECONDS = 60.0  # who lived so long did not die of its start
END_SECONDS = 5.0  # more than it gives itself to ship what is left

logger = logging.getLogger(__name__)


class ShipperProcess:
    """`python -m inference.prediction_log.shipper`, from entering to leaving."""

    def __init__(self) -> None:
        self._ending = threading.Event()
        self._starting = threading.Lock()
        self._keeping = threading.Thread(target=self._keep, name="shipper", daemon=True)
        self._child: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> None:
        """Start it."""
        self._start()
        self._keeping.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Let it ship what is left, for a few seconds."""
        with self._starting:
            self._ending.set()
        child = self._child
        if child is not None and child.stdin is not None:
            child.stdin.close()  # by which it knows; it also does when this process is killed
            try:
                child.wait(END_SECONDS)
            except subprocess.TimeoutExpired:
                child.kill()
                child.wait()
        self._keeping.join()

    def _start(self) -> None:
        with self._starting:
            if not self._ending.is_set():
                self._child = subprocess.Popen(
                    [sys.executable, "-m", "inference.prediction_log.shipper"],
                    stdin=subprocess.PIPE,
                )

    def _keep(self) -> None:
        pause, most = RESTART_SECONDS
        while self._child is not None:
            started = time.monotonic()
            status = self._child.wait()
            if self._ending.is_set():
                return
            pause = (
                RESTART_SECONDS[0]
                if time.monotonic() - started > LONG_SECONDS
                else min(2 * pause, most)
            )
            logger.error(
                "The shipper of the log ended with status %d and is started again in %.0f s.",
                status,
                pause,
            )
            if self._ending.wait(pause):
                return
            self._start()
