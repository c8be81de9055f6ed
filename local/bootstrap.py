"""Bootstrap command: creates `.venv` from a lock file and leaves an up-to-date one unchanged.

    python3 local/bootstrap.py up      packages for `make up`
    python3 local/bootstrap.py dev     also the packages for tests, lint and training
    python3 local/bootstrap.py bench   also the packages that `make bench` compares with

Further arguments are those of the Python in `.venv`, which then replaces this one. While it runs,
no package of `.venv` is changed or removed.

Runs before any installation, so it uses only the standard library. It starts on Python 3.7 or
later in order to find a newer Python.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pwd
import shutil
import sys
import time
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
if __name__ == "__main__":  # started by path, so the project is not importable yet
    sys.path.insert(0, str(ROOT))

from local.console import print_line  # noqa: E402
from local.installer import InstallError, create, install_locked, read_output  # noqa: E402
from local.virtual_environment import VirtualEnvironment  # noqa: E402

MIN_PYTHON = (3, 11)
NEWER_PYTHONS = ("python3.13", "python3.12", "python3.11", "python3.14")  # best supported first
GROUPS = ("up", "dev", "bench")  # each group contains the previous ones
INTERRUPTED_STATUS = 130  # 128 + SIGINT, as shells report it


def install(root: Path, group: str) -> bool:
    """Install `group` into `.venv`.

    Returns False if it was up to date, which takes less than 0.2 s to find out.

    Raises:
        InstallError: the environment could not be created or filled, or must not be changed.
    """
    environment = VirtualEnvironment(root)
    with _install_lock(environment.lock_file("bootstrap")):
        version = environment.version()
        installed = environment.installed_fingerprints() if version else {}
        if version and not _is_same_minor(version):
            print_line(
                f".venv has Python {version}, and this is {sys.version.split()[0]}. "
                "To use this one, stop the stack and remove .venv."
            )
        if installed.get(group) == environment.fingerprint(group):
            return False
        # Keep the largest installed group: `make up` must not remove the test tools.
        largest = max(installed, key=GROUPS.index, default=group)
        # The lock files agree, so a larger group only adds packages.
        is_addition = installed.get(largest) == environment.fingerprint(largest)
        _check_access(environment, is_addition=is_addition)
        group = max(group, largest, key=GROUPS.index)
        started = time.monotonic()
        if version:
            print_line("Updating .venv")
        else:
            print_line("Installing into .venv (the first time takes a while: about 600 MB)")
            create(environment)
        environment.unfinished.touch()
        install_locked(environment, group)
        groups = GROUPS[: GROUPS.index(group) + 1]
        environment.stamp.write_text(
            json.dumps({name: environment.fingerprint(name) for name in groups})
        )
        environment.unfinished.unlink()
        print_line(f"Installed in {time.monotonic() - started:.0f} s")
        return True


def _is_same_minor(version: str) -> bool:
    return version.split(".")[:2] == sys.version.split(".")[:2]


def _check_access(environment: VirtualEnvironment, *, is_addition: bool) -> None:
    """Check that `.venv` may be changed.

    Raises:
        InstallError: it belongs to another user, or a program uses what would change.
    """
    owner = environment.owner()
    if owner not in (None, os.geteuid()):
        raise InstallError(
            f"{environment.home} must be updated, but it belongs to {_user_name(owner)}.\n"
            "  Run this command as that user, or remove the folder first."
        )
    if environment.is_in_use() and not is_addition:
        raise InstallError(
            f"{environment.home} must be updated, but a program runs from it.\n"
            "  Stop it (`make down` stops the stack), then run this command again."
        )


def _user_name(user_id: int | None) -> str:
    try:
        return pwd.getpwuid(int(user_id or 0)).pw_name
    except KeyError:
        return f"user id {user_id}"


@contextlib.contextmanager
def _install_lock(path: Path) -> Iterator[None]:
    """Hold a lock, so that two `make up` in a fresh clone do not fill one folder at once."""
    with path.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            print_line("Waiting for another installation into .venv")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _restart_with_newer_python() -> None:
    """Replace this process with a sufficiently new Python. Returns if there is none."""
    for name in NEWER_PYTHONS:
        path = shutil.which(name)
        check = f"import sys; print(sys.version_info >= {MIN_PYTHON!r})"
        if path and read_output([path, "-c", check]).strip() == "True":
            os.execv(path, [path, *sys.argv])  # noqa: S606


def main(arguments: list[str]) -> int:
    """Install a group if it is not up to date, and return the exit code."""
    if sys.version_info < MIN_PYTHON and VirtualEnvironment(ROOT).version() is None:
        _restart_with_newer_python()
        version = sys.version.split(" ", 1)[0]
        print_line(f"Python 3.11 or newer is required. {sys.executable} is {version}.")
        print_line("Install a newer one, or name it: make up PYTHON=/path/to/python3.13")
        return 1
    if not arguments or arguments[0] not in GROUPS:
        print_line("usage: python3 local/bootstrap.py up|dev|bench [ARGUMENT_OF_PYTHON ...]")
        return 2
    try:
        install(ROOT, arguments[0])
        if arguments[1:]:
            VirtualEnvironment(ROOT).run(arguments[1:])
    except InstallError as error:
        print_line(f"make: {error}")
        return 1
    except KeyboardInterrupt:
        print_line("\nInterrupted. The next run creates .venv again.")
        return INTERRUPTED_STATUS
    except OSError as error:
        print_line(
            f"Cannot install into {ROOT / '.venv'}: {error}\n"
            "  If another user wrote there, remove .venv as root, then run this command again."
        )
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
