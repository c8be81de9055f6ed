"""Where aliases such as champion point, known without asking Postgres.

From a file that is written anew when the database changed.

One process of the service asks the database and writes the file; every worker follows it. The
worker that moved an alias knows so at once.
"""

import contextlib
import json
import logging
import threading
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import psycopg2.extensions

from inference.model_format.card import write_atomically

ALIASES_FILE = "aliases.json"
LOOK_SECONDS = 0.2
ASK_SECONDS = 0.35  # a move is to be followed within a second
# A file that was written within this after a move may be of before it, where much waits to be
# shipped.
OVERTAKEN_SECONDS = 3600.0
# The rows that `write_aliases` takes.
COLUMNS = ("task", "alias", "experiment_name", "version", "event_id")
ALIASES = f"SELECT {', '.join(COLUMNS)} FROM aliases ORDER BY task, alias"

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Target:
    """The version that an alias points to, since the move of this id."""

    experiment_name: str
    version: int
    event_id: int


AliasTargets = Mapping[tuple[str, str], Target]


class Aliases:
    """Where each alias of each task points.

    Knows nothing before the file is there; any thread may ask.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._pointers: AliasTargets = {}
        self._lock = threading.Lock()  # guards all below, and the changes of _pointers
        self._in_file: AliasTargets = {}
        self._signature: tuple[int, int, int] | None = None
        self._moved: dict[tuple[str, str], tuple[Target, float]] = {}
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._follow, name="follow-aliases", daemon=True)

    def start(self) -> None:
        """Read the file and follow it in a thread, until `close`."""
        self._look()
        self._thread.start()

    def close(self) -> None:
        """End the thread."""
        self._closing.set()
        if self._thread.ident is not None:
            self._thread.join()

    def pointers(self) -> AliasTargets:
        """Return all at one moment, by task and alias. Not to be changed."""
        return self._pointers

    def of(self, experiment_name: str, version: int) -> list[str]:
        """Return the aliases that point to a version."""
        return sorted(
            alias
            for (_, alias), target in self._pointers.items()
            if (target.experiment_name, target.version) == (experiment_name, version)
        )

    def moved(self, task: str, alias: str, target: Target) -> None:
        """Let an alias point where the database has it since now; the file will say so later."""
        with self._lock:
            self._moved[task, alias] = (target, time.monotonic())
            self._merge()

    def _follow(self) -> None:
        while not self._closing.wait(LOOK_SECONDS):
            self._look()

    def _look(self) -> None:
        """Read the file if it changed. While it is missing or broken, what was known goes on."""
        try:
            status = self._path.stat()
            signature = (status.st_mtime_ns, status.st_ino, status.st_size)
            if signature == self._signature:
                return
            self._signature = signature
            read = read_aliases(self._path)
        except (FileNotFoundError, NotADirectoryError):
            return
        except (OSError, ValueError, TypeError, KeyError) as error:
            logger.error(
                "The aliases in %s cannot be read, so those known before go on: %s",
                self._path,
                error,
            )
            return
        with self._lock:
            self._in_file = read
            self._merge()

    def _merge(self) -> None:
        """Put the moves of this process over what the file says, until a file says them too or is
        of long after them.
        """
        now = time.monotonic()
        for key, (target, at) in list(self._moved.items()):
            known = self._in_file.get(key)
            if (
                known is not None and known.event_id >= target.event_id
            ) or now - at > OVERTAKEN_SECONDS:
                del self._moved[key]
        self._pointers = {
            **self._in_file,
            **{key: target for key, (target, _) in self._moved.items()},
        }


class AliasMirror:
    """Keeps the file of aliases in a directory what the view aliases is, for the processes that
    serve.
    """

    def __init__(self, directory: Path) -> None:
        self._path = directory / ALIASES_FILE
        self._last: object = None
        self._asked_at = -ASK_SECONDS

    def follow(self, connection: psycopg2.extensions.connection) -> None:
        """Ask once, unless that was a moment ago. Raises psycopg2.Error."""
        if time.monotonic() - self._asked_at < ASK_SECONDS:
            return
        with connection, connection.cursor() as cursor:
            cursor.execute(ALIASES)
            rows = [dict(zip(COLUMNS, row, strict=True)) for row in cursor.fetchall()]
        if rows != self._last or not self._path.exists():
            write_aliases(self._path, rows)
            self._last = rows
        self._asked_at = time.monotonic()


def read_aliases(path: Path) -> AliasTargets:
    """Return what a file of aliases says.

    Raises OSError, and ValueError, TypeError or KeyError for one that is broken.
    """
    return {
        (str(row["task"]), str(row["alias"])): Target(
            str(row["experiment_name"]), int(row["version"]), int(row["event_id"])
        )
        for row in json.loads(path.read_text())["aliases"]
    }


def write_aliases(path: Path, rows: Iterable[Mapping[str, Any]]) -> bool:
    """Write the rows of ALIASES to a file, whole or not at all, and return whether they differ from
    what stands there.
    """
    pointers = {
        (row["task"], row["alias"]): Target(row["experiment_name"], row["version"], row["event_id"])
        for row in rows
    }
    with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
        if read_aliases(path) == pointers:
            return False
    document = {
        "aliases": [
            {"task": task, "alias": alias, **asdict(target)}
            for (task, alias), target in pointers.items()
        ]
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, json.dumps(document).encode())
    return True
