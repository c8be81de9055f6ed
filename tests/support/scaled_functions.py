"""Functions of tests that executors run in other processes."""

import os
import signal
import time
from pathlib import Path


def add(one: int, other: int) -> int:
    return one + other


def thread_limit() -> str | None:
    return os.environ.get("OMP_NUM_THREADS")


def pid_after(seconds: float) -> int:
    time.sleep(seconds)
    return os.getpid()


def die() -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def die_once(marker: Path) -> int:
    """Kill this process at the first call."""
    if not marker.exists():
        marker.touch()
        die()
    return os.getpid()


def fail_once(marker: Path) -> str:
    """Raise OSError at the first call."""
    if not marker.exists():
        marker.touch()
        raise OSError("the disk was away")
    return "done"


def write_pid_and_sleep(folder: Path) -> None:
    (folder / f"{os.getpid()}.pid").touch()
    time.sleep(60)
