"""Processes of tests: whether they live, and waiting for their end."""

import time
from collections.abc import Sequence

import psutil

END_SECONDS = 10


def is_alive(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def assert_ended(pids: Sequence[int]) -> None:
    """Wait until all processes ended."""
    deadline = time.monotonic() + END_SECONDS
    while any(map(is_alive, pids)):
        assert time.monotonic() < deadline, f"still alive: {[*filter(is_alive, pids)]}"
        time.sleep(0.02)
