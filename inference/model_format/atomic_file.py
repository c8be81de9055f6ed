"""Atomic file writes: readers see the old content or the new content, never a part of it."""

import errno
import os
from pathlib import Path


def write_atomically(path: Path, content: bytes, *, flush: bool = True) -> None:
    """Write to a temporary file in the same directory, then rename it to `path`.

    With `flush`, the content reaches the disk before the rename. Raises OSError.
    """
    temporary = path.with_name(f".{path.name}.{os.getpid()}")
    with temporary.open("wb") as file:
        file.write(content)
        file.flush()
        if flush:
            os.fsync(file.fileno())
    temporary.replace(path)


def flush(path: Path) -> None:
    """Flush a file, or the names in a directory, to the disk. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno != errno.EINVAL:  # some file systems cannot flush a directory: fsync(2)
            raise
    finally:
        os.close(descriptor)
