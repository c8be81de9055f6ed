"""Safe opening of user-supplied files: regular files only, no symlinks, bounded size."""

import os
import stat
from pathlib import Path

MAX_MODEL_BYTES = 256 * 2**20
SAVE_AGAIN = "Save the model again with model.save('NAME.keras')."


class RejectedModelError(Exception):
    """A model file fails validation. The message says what is wrong and what to do."""


def open_regular(path: Path, max_bytes: int = MAX_MODEL_BYTES) -> int:
    """Open a file for reading and return its descriptor, which the caller closes.

    Opening a pipe does not block. Raises RejectedModelError unless the path is a regular file of
    1 to `max_bytes` bytes, and OSError.
    """
    if path.is_symlink():
        raise RejectedModelError(f"{path.name} is a symbolic link. Put the file itself there.")
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    status = os.fstat(descriptor)
    if stat.S_ISREG(status.st_mode) and 0 < status.st_size <= max_bytes:
        return descriptor
    os.close(descriptor)
    if not stat.S_ISREG(status.st_mode):
        raise RejectedModelError(f"{path.name} is not a regular file. {SAVE_AGAIN}")
    raise RejectedModelError(
        f"{path.name} has {status.st_size} bytes, but the limits are 1 and {max_bytes}. "
        "Copy it again, or make a smaller model."
    )
