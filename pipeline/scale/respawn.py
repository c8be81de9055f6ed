"""Respawn: runs a program in a child process and starts it again whenever it ends.

Dask's worker program ends when it loses its scheduler.
"""

import signal
import subprocess
import sys
import threading
from collections.abc import Sequence
from types import FrameType

RESPAWN_SECONDS = 1.0
END_SECONDS = 10.0  # from the signal to the end of the child, which is killed then


def respawn(command: Sequence[str]) -> int:
    """Run a command again and again until SIGTERM or SIGINT, and return exit code 0."""
    stopping = threading.Event()

    def stop(_number: int, _frame: FrameType | None) -> None:
        stopping.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    while not stopping.is_set():
        child = subprocess.Popen(command)
        while child.poll() is None and not stopping.wait(RESPAWN_SECONDS):
            pass
        if stopping.is_set():
            _end(child)
        elif not stopping.wait(RESPAWN_SECONDS):
            print(f"The process ended ({child.returncode}) and is started again.", file=sys.stderr)
    return 0


def _end(child: "subprocess.Popen[bytes]") -> None:
    child.terminate()
    try:
        child.wait(END_SECONDS)
    except subprocess.TimeoutExpired:
        child.kill()
        child.wait()
