"""Compile failures: the reasons why Keras files could not be compiled, shared by all workers.

A record lies beside the compiled models. It applies until the model's files change, and the service
removes all records at its start.
"""

import json
from pathlib import Path

from inference.model_format.atomic_file import write_atomically

SUFFIX = ".failed"
MAX_BYTES = 65_536


def read(directory: Path, changed_at: float) -> str | None:
    """Return why a model could not be compiled to a directory, or None.

    A failure before `changed_at` (Unix time, s) says nothing about the files of now.
    """
    path = _path(directory)
    try:
        status = path.stat()
        if status.st_mtime <= changed_at or status.st_size > MAX_BYTES:
            return None
        reason = json.loads(path.read_bytes())["reason"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return reason if isinstance(reason, str) else None


def write(directory: Path, reason: str) -> None:
    """Record why a model could not be compiled to a directory. Raises OSError."""
    write_atomically(_path(directory), json.dumps({"reason": reason}).encode())


def remove_all(compiled_dir: Path) -> None:
    """Remove all records, so that every model is tried once more. Raises OSError."""
    for path in compiled_dir.glob(f"*{SUFFIX}"):
        path.unlink(missing_ok=True)


def _path(directory: Path) -> Path:
    return directory.with_name(directory.name + SUFFIX)
