"""Machine: how many processes of a given size it has cores and memory for."""

import os
from pathlib import Path

CGROUP_LIMITS = (
    Path("/sys/fs/cgroup/memory.max"),
    Path("/sys/fs/cgroup/memory/memory.limit_in_bytes"),
)


def count_processes(bytes_each: int, limits: tuple[Path, ...] = CGROUP_LIMITS) -> int:
    """Return the number of processes to run in parallel: one per core, as far as memory allows.

    `bytes_each` is the memory that one takes. The limit of a container counts as its memory. The
    result is at least 1.
    """
    memory = min([_physical_bytes(), *map(_limit, limits)])
    return max(1, min(os.cpu_count() or 1, memory // bytes_each))


def _physical_bytes() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _limit(file: Path) -> int:
    """Return a limit of the control group in bytes, the physical memory if there is none."""
    try:
        return int(file.read_text())
    except (OSError, ValueError):  # "max"
        return _physical_bytes()
