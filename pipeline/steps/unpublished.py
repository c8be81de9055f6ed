"""Unpublished versions: hidden directories in which attempts of a run prepare its version.

A killed attempt leaves its directory. The next attempt of the run removes it, or a sweep after the
run's end.
"""

import contextlib
import re
import shutil
from collections.abc import Iterator
from pathlib import Path

# `inference.models.publish.hidden_directory` adds the prefix and the experiment's name.
DIRECTORY = re.compile(r"\.publish-.+-run-([0-9]+)-[0-9a-f-]{36}(\.removed)?")
REMOVED = ".removed"


def attempt_name(run_id: int, lease_token: str) -> str:
    """Return the unique part of an attempt's directory."""
    return f"run-{run_id}-{lease_token}"


def find(models_dir: Path) -> Iterator[tuple[int, Path]]:
    """Yield run and directory of each attempt. Raises OSError."""
    if not models_dir.is_dir():
        return
    for path in models_dir.iterdir():
        match = DIRECTORY.fullmatch(path.name)
        if match:
            yield int(match[1]), path


def remove(directory: Path) -> None:
    """Remove a directory, unless its attempt has just published it.

    It is renamed first: the attempt of a worker that was frozen must not publish one half of it.
    """
    removed = directory
    if directory.suffix != REMOVED:
        removed = directory.with_name(directory.name + REMOVED)
        with contextlib.suppress(OSError):
            directory.rename(removed)
    shutil.rmtree(removed, ignore_errors=True)
