"""Fallback directories: what the service uses where its directories are not writable.

A container with a read-only root and without volumes can write to the directory of temporary files
only, or to /dev/shm. That is memory and ends with the container, so originals are not kept there.
"""

import hashlib
import logging
import os
import stat
import tempfile
from pathlib import Path

from inference.settings import Settings

SHARED_MEMORY = Path("/dev/shm")  # noqa: S108  # writable in every container
NO_DIRECTORY = "No temporary directory is writable. Mount a tmpfs at /tmp, or set TMPDIR."

logger = logging.getLogger(__name__)


def choose(settings: Settings, images_dir: Path | None) -> dict[str, str]:
    """Return the variables that replace directories which are not writable, and log each one.

    `images_dir` is the directory of the originals, None if they are in a bucket. The directories
    are created. A path that is not a directory is not replaced: it is a mistake to be corrected.
    Raises ValueError without a writable directory.
    """
    variables = {}
    for name, directory in (
        ("JOURNAL_DIR", settings.journal_dir),
        ("COMPILED_DIR", settings.compiled_dir),
    ):
        if not is_writable(directory):
            fallback = _create_fallback(name, directory)
            logger.warning(
                "%s=%s is not writable. The service uses %s, which ends with the container.",
                name,
                directory,
                fallback,
            )
            variables[name] = str(fallback)
    if settings.stores_images and images_dir is not None and not is_writable(images_dir):
        logger.warning(
            "IMAGES_URL=%s is not writable. Original images are not stored.", settings.images_url
        )
        variables["IMAGES_STORE"] = "0"
    return variables


def is_writable(directory: Path) -> bool:
    """Return whether the directory can be written to, or created.

    True also for a path that is not a directory, whose use fails with the reason.
    """
    path = directory.absolute()
    while not path.exists():
        path = path.parent
    return not path.is_dir() or os.access(path, os.W_OK | os.X_OK)


def _create_fallback(name: str, directory: Path) -> Path:
    """Create the private directory that replaces `directory` for this user, or find it again."""
    key = hashlib.sha256(str(directory.absolute()).encode()).hexdigest()[:8]
    kind = name.partition("_")[0].lower()
    path = _temporary_directory() / f"mlops-{os.geteuid()}-{kind}-{key}"
    try:
        path.mkdir(mode=0o700, exist_ok=True)
        status = path.lstat()
    except OSError as error:
        raise ValueError(f"{path} cannot be created: {error.strerror}. Set {name}.") from error
    is_private = stat.S_ISDIR(status.st_mode) and not stat.S_IMODE(status.st_mode) & 0o077
    if not is_private or status.st_uid != os.geteuid():
        raise ValueError(f"{path} is not a private directory of this user. Set {name}.")
    return path


def _temporary_directory() -> Path:
    try:
        return Path(tempfile.gettempdir())
    except FileNotFoundError:
        if not is_writable(SHARED_MEMORY):
            raise ValueError(NO_DIRECTORY) from None
    os.environ["TMPDIR"] = str(SHARED_MEMORY)  # for the children, too
    return Path(tempfile.gettempdir())
