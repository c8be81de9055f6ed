"""Number of parallel processes: cores, memory, and the limit of a container."""

import os
from pathlib import Path

import pytest

from pipeline.scale.machine import count_processes

GIGABYTE = 10**9


@pytest.fixture
def limit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A file with a limit, on a machine of 16 cores and 64 GB."""
    pages = {"SC_PAGE_SIZE": 1000, "SC_PHYS_PAGES": 64 * GIGABYTE // 1000}
    monkeypatch.setattr(os, "cpu_count", lambda: 16)
    monkeypatch.setattr(os, "sysconf", pages.__getitem__)
    return tmp_path / "memory.max"


@pytest.mark.parametrize(
    ("content", "count"),
    [
        (None, 16),
        ("max\n", 16),
        ("3000000000\n", 3),
        ("9223372036854771712", 16),
        ("500000000", 1),
    ],
)
def test_count_processes_respects_the_limit(limit: Path, content: str | None, count: int) -> None:
    if content is not None:
        limit.write_text(content)
    assert count_processes(GIGABYTE, (limit,)) == count


def test_count_processes_respects_physical_memory(limit: Path) -> None:
    assert count_processes(8 * GIGABYTE, (limit,)) == 8
