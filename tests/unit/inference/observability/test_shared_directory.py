"""Shared directory: numbers and documents of live workers, and leftovers of killed services."""

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from inference.observability.shared_directory import (
    OWNER_LOCK,
    PREFIX,
    Worker,
    WorkerDocuments,
    remove_leftovers,
    shared_directory,
)

OWNER = """
import sys
from pathlib import Path
from inference.observability.shared_directory import shared_directory
with shared_directory(Path(sys.argv[1])) as directory:
    print(directory, flush=True)
    sys.stdin.read()
"""
WORKER = """
import sys
from pathlib import Path
from inference.observability.shared_directory import WorkerDocuments
workers = WorkerDocuments(Path(sys.argv[1]), 2)
workers.publish(["of the child"])
print(workers.number, flush=True)
sys.stdin.read()
"""


@contextmanager
def child(code: str, directory: Path) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """Run code in a process that is killed at the end, and yield the line that it prints."""
    process = subprocess.Popen(
        [sys.executable, "-c", code, str(directory)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    assert process.stdin is not None
    try:
        yield process, process.stdout.readline().strip()
    finally:
        process.kill()
        process.wait()
        process.stdout.close()
        process.stdin.close()


def test_directory_is_removed_at_the_end(tmp_path: Path) -> None:
    with shared_directory(tmp_path) as directory:
        assert directory.parent == tmp_path
        assert directory.name.startswith(PREFIX)
    assert list(tmp_path.iterdir()) == []


def test_directory_of_a_killed_service_is_removed_by_the_next(tmp_path: Path) -> None:
    with child(OWNER, tmp_path) as (process, leftover):
        with shared_directory(tmp_path):
            assert Path(leftover).exists()
        process.kill()
        process.wait()
        assert Path(leftover).exists()
        with shared_directory(tmp_path) as directory:
            assert list(tmp_path.iterdir()) == [directory]


def test_directory_of_an_earlier_version_is_kept_while_used(tmp_path: Path) -> None:
    """An earlier version has no lock. Its files name the processes that write them."""
    old = tmp_path / f"{PREFIX}old"
    old.mkdir()
    counts = old / f"counter_{os.getpid()}.db"
    counts.touch()
    os.utime(old, (0, 0))
    remove_leftovers(tmp_path)
    assert counts.exists()
    with subprocess.Popen([sys.executable, "-c", ""]) as ended:
        ended.wait()
        counts.rename(old / f"counter_{ended.pid}.db")
    os.utime(old, (time.time(), time.time()))
    remove_leftovers(tmp_path)
    assert old.exists()  # it may just have been created
    os.utime(old, (0, 0))
    remove_leftovers(tmp_path)
    assert not old.exists()


def test_leftovers_spare_links_and_other_folders(tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / OWNER_LOCK).touch()
    (tmp_path / f"{PREFIX}link").symlink_to(other)
    remove_leftovers(tmp_path)
    assert (other / OWNER_LOCK).exists()


def test_workers_see_each_other_while_they_live(tmp_path: Path) -> None:
    own = WorkerDocuments(tmp_path, 2)
    own.publish(["mine"])
    mine = Worker(os.getpid(), ["mine"])
    assert own.read() == {1: mine}
    with child(WORKER, tmp_path) as (process, number):
        assert number == "2"
        assert own.read() == {1: mine, 2: Worker(process.pid, ["of the child"])}
    assert own.read() == {1: mine}
    with child(WORKER, tmp_path) as (_, number):
        assert number == "2"  # that of the dead worker


def test_worker_that_starts_has_no_document(tmp_path: Path) -> None:
    with child(WORKER, tmp_path) as (_, number):
        assert number == "1"
    own = WorkerDocuments(tmp_path, 1)
    assert own.read() == {1: Worker(os.getpid(), None)}


def test_worker_without_a_free_number_takes_another(tmp_path: Path) -> None:
    """Its predecessor may hang."""
    first, second = WorkerDocuments(tmp_path, 1), WorkerDocuments(tmp_path, 1)
    assert (first.number, second.number) == (1, 2)


def test_single_worker_needs_no_directory() -> None:
    single = WorkerDocuments(None)
    single.publish([1])
    assert single.read() == {1: Worker(os.getpid(), [1])}
