"""Files of people, opened so that nobody waits, nothing else is read than what was named, and
nothing is too large.
"""

import os
import stat
from pathlib import Path

MAX_MODEL_BYTES = 256 * 2**20


class RejectedModelError(Exception):
    """A model file that is not read any further; the message says why and what to do."""


def open_regular(path: Path, most: int = MAX_MODEL_BYTES) -> int:
    """Open a file to be read; return its descriptor, which is the caller's to close.

    Waits for nobody at a pipe.

    Raises RejectedModelError for what is no regular file of 1 to `most` bytes, and OSError.
    """
    if path.is_symlink():
        raise RejectedModelError(f"{path.name} is a symbolic link; put the file itself there.")
    descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
    status = os.fstat(descriptor)
    if stat.S_ISREG(status.st_mode) and 0 < status.st_size <= most:
        return descriptor
    os.close(descriptor)
    if not stat.S_ISREG(status.st_mode):
        raise RejectedModelError(
            f"{path.name} is no regular file; put a file that model.save('NAME.keras') wrote there."
        )
    raise RejectedModelError(
        f"{path.name} has {status.st_size} bytes; 1 to {most} can be read. Copy it again, or make a smaller model."
    )
