"""Alias synchronization: mirrors the database's aliases to a file.

One process of the service runs it. Every worker reads the file (aliases.py), so that requests need
no database.
"""

import contextlib
import json
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import psycopg2.extensions

from inference.model_format.atomic_file import write_atomically
from inference.models.aliases import ALIASES_FILE, Target, read_aliases

QUERY_SECONDS = 0.35  # workers see a move within a second
COLUMNS = ("task", "alias", "experiment_name", "version", "event_id")
ALIASES = f"SELECT {', '.join(COLUMNS)} FROM aliases ORDER BY task, alias"


class AliasMirror:
    """Keeps the alias file in a directory equal to the view `aliases`."""

    def __init__(self, directory: Path) -> None:
        self._path = directory / ALIASES_FILE
        self._rows: object = None
        self._queried_at = -QUERY_SECONDS

    def refresh(self, connection: psycopg2.extensions.connection) -> None:
        """Query the aliases, at most once in QUERY_SECONDS. Raises psycopg2.Error and OSError."""
        if time.monotonic() - self._queried_at < QUERY_SECONDS:
            return
        with connection, connection.cursor() as cursor:
            cursor.execute(ALIASES)
            rows = [dict(zip(COLUMNS, row, strict=True)) for row in cursor.fetchall()]
        if rows != self._rows or not self._path.exists():
            write_aliases(self._path, rows)
            self._rows = rows
        self._queried_at = time.monotonic()


def write_aliases(path: Path, rows: Iterable[Mapping[str, Any]]) -> bool:
    """Write rows of ALIASES to a file atomically, and return whether the file has changed.

    Raises OSError.
    """
    targets = {
        (row["task"], row["alias"]): Target(row["experiment_name"], row["version"], row["event_id"])
        for row in rows
    }
    with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
        if read_aliases(path) == targets:
            return False
    document = {
        "aliases": [
            {"task": task, "alias": alias, **asdict(target)}
            for (task, alias), target in targets.items()
        ]
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(path, json.dumps(document).encode())
    return True
