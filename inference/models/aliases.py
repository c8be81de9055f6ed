"""Aliases: targets of names such as champion, available without a database query.

Every worker follows a file that one process keeps equal to the database (alias_sync.py). The worker
that moves an alias knows the new target at once.
"""

import json
import logging
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

ALIASES_FILE = "aliases.json"
POLL_SECONDS = 0.2
# A backlog in shipping delays the file, so it may be older than a move. After this long, the file
# takes precedence in any case.
MOVE_PRECEDENCE_SECONDS = 3600.0

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Target:
    """The version that an alias points to, since the move `event_id`."""

    experiment_name: str
    version: int
    event_id: int


AliasTargets = Mapping[tuple[str, str], Target]


class Aliases:
    """Current targets of the aliases of each task.

    Empty until the file exists. Any thread may call any method.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._targets: AliasTargets = {}
        self._lock = threading.Lock()  # guards all below, and changes of _targets
        self._file_targets: AliasTargets = {}
        self._fingerprint: tuple[int, int, int] | None = None
        self._moves: dict[tuple[str, str], tuple[Target, float]] = {}
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="follow-aliases", daemon=True)

    def start(self) -> None:
        """Read the file, then follow it in a thread until `close`."""
        self._refresh()
        self._thread.start()

    def close(self) -> None:
        """Stop the thread."""
        self._closing.set()
        if self._thread.ident is not None:
            self._thread.join()

    def targets(self) -> AliasTargets:
        """Return all targets at this moment, by task and alias. Read-only."""
        return self._targets

    def aliases_of(self, experiment_name: str, version: int) -> list[str]:
        """Return the aliases that point to a version."""
        return sorted(
            alias
            for (_, alias), target in self._targets.items()
            if (target.experiment_name, target.version) == (experiment_name, version)
        )

    def record_move(self, task: str, alias: str, target: Target) -> None:
        """Apply a move that the database has stored, before it reaches the file."""
        with self._lock:
            self._moves[task, alias] = (target, time.monotonic())
            self._merge()

    def _follow(self) -> None:
        while not self._closing.wait(POLL_SECONDS):
            self._refresh()

    def _refresh(self) -> None:
        """Read the file if it has changed. While it is missing or broken, keep the old targets."""
        try:
            status = self._path.stat()
            fingerprint = (status.st_mtime_ns, status.st_ino, status.st_size)
            if fingerprint == self._fingerprint:
                return
            self._fingerprint = fingerprint
            targets = read_aliases(self._path)
        except (FileNotFoundError, NotADirectoryError):
            return
        except (OSError, ValueError, TypeError, KeyError) as error:
            logger.error(
                "Cannot read the aliases in %s: %s. The earlier aliases stay in use.",
                self._path,
                error,
            )
            return
        with self._lock:
            self._file_targets = targets
            self._merge()

    def _merge(self) -> None:
        """Apply this process's moves over the file's targets.

        A move is forgotten once the file contains it or a later one, or after
        MOVE_PRECEDENCE_SECONDS.
        """
        now = time.monotonic()
        for key, (target, moved_at) in list(self._moves.items()):
            stored = self._file_targets.get(key)
            is_stored = stored is not None and stored.event_id >= target.event_id
            if is_stored or now - moved_at > MOVE_PRECEDENCE_SECONDS:
                del self._moves[key]
        moves = {key: target for key, (target, _) in self._moves.items()}
        self._targets = {**self._file_targets, **moves}


def read_aliases(path: Path) -> AliasTargets:
    """Return the targets in an alias file.

    Raises OSError, and ValueError, TypeError or KeyError for a broken file.
    """
    return {
        (str(row["task"]), str(row["alias"])): Target(
            str(row["experiment_name"]), int(row["version"]), int(row["event_id"])
        )
        for row in json.loads(path.read_text())["aliases"]
    }
