"""Shared directory of the workers: their metric files, and one document per live worker.

The service creates it, and locks it while it runs. A directory whose owner was killed is removed at
the next start of a service.
"""

import contextlib
import fcntl
import json
import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PREFIX = "mlops-metrics-"
UNFINISHED_PREFIX = "mlops-new-metrics-"  # until the directory is locked
OWNER_LOCK = "owner.lock"
# A restarted worker takes the number of the one that died, which may take this long to disappear.
CLAIM_SECONDS = 1.0
POLL_SECONDS = 0.01
MIN_LEFTOVER_SECONDS = 60.0  # of a directory without a lock, which earlier versions created


@contextlib.contextmanager
def shared_directory(parent: Path | None = None) -> Iterator[Path]:
    """Create a directory for the workers of a service, and remove it at the end.

    Also removes the directories of killed services. `parent` is by default that of temporary files.
    """
    parent = parent or Path(tempfile.gettempdir())
    remove_leftovers(parent)
    unfinished = Path(tempfile.mkdtemp(prefix=UNFINISHED_PREFIX, dir=parent))
    with (unfinished / OWNER_LOCK).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        # Only now another service may look at it: it would remove an unlocked directory.
        directory = unfinished.rename(parent / (PREFIX + unfinished.name[len(UNFINISHED_PREFIX) :]))
        try:
            yield directory
        finally:
            shutil.rmtree(directory, ignore_errors=True)


def remove_leftovers(parent: Path) -> None:
    """Remove the directories of this user whose service no longer runs."""
    for directory in parent.glob(PREFIX + "*"):
        with contextlib.suppress(OSError):
            status = directory.lstat()
            is_own = directory.is_dir() and not directory.is_symlink()
            if is_own and status.st_uid == os.geteuid() and _is_leftover(directory, status):
                shutil.rmtree(directory, ignore_errors=True)


def _is_leftover(directory: Path, status: os.stat_result) -> bool:
    lock = directory / OWNER_LOCK
    if lock.exists():
        return not _is_locked(lock)
    # prometheus_client names its files after the process: counter_123.db
    writers = [path.stem.rpartition("_")[2] for path in directory.glob("*.db")]
    is_used = any(pid.isdecimal() and _is_alive(int(pid)) for pid in writers)
    return not is_used and time.time() - status.st_mtime > MIN_LEFTOVER_SECONDS


@dataclass(frozen=True)
class Worker:
    """A live worker: its process id, and the document that it published last."""

    pid: int
    document: Any


class WorkerDocuments:
    """Documents that workers publish for each other. Any thread may call any method.

    Each worker has a number from 1. A worker that replaces a dead one takes its number. Without a
    directory there is one worker, number 1.
    """

    def __init__(self, directory: Path | None, workers: int = 1) -> None:
        """Take a free number, one of `workers` if possible. Raises OSError."""
        self._directory = directory
        self._document: Any = None
        self.number = 1
        if directory is not None:
            self.number = _claim(directory, workers)

    def publish(self, document: Any) -> None:
        """Replace this worker's document, which must be JSON. Raises OSError."""
        self._document = document
        if self._directory is not None:
            path = self._directory / f"worker-{self.number}.json"
            temporary = path.with_suffix(f".{os.getpid()}")
            temporary.write_text(json.dumps(document, separators=(",", ":")))
            temporary.replace(path)

    def read(self) -> dict[int, Worker]:
        """Return the live workers by number. The document of one that is starting is None."""
        if self._directory is None:
            return {self.number: Worker(os.getpid(), self._document)}
        workers = {}
        for lock in self._directory.glob("worker-*.lock"):
            with contextlib.suppress(OSError, ValueError):
                pid, is_alive = int(lock.read_text()), _is_locked(lock)
                if is_alive:
                    path = lock.with_suffix(".json")
                    document = json.loads(path.read_text()) if path.exists() else None
                    workers[int(lock.stem.partition("-")[2])] = Worker(pid, document)
        return dict(sorted(workers.items()))


def _claim(directory: Path, workers: int) -> int:
    """Lock the file of a number until the process ends, and write the process id into it."""
    deadline = time.monotonic() + CLAIM_SECONDS
    while True:
        count = workers if time.monotonic() < deadline else 2 * workers
        for number in range(1, count + 1):
            path = directory / f"worker-{number}.lock"
            descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o600)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(descriptor)
                continue
            path.with_suffix(".json").unlink(missing_ok=True)  # of the dead worker
            os.truncate(descriptor, 0)
            os.write(descriptor, str(os.getpid()).encode())
            return number
        time.sleep(POLL_SECONDS)


def _is_locked(path: Path) -> bool:
    with path.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
