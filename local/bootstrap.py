"""Bootstrap command: creates `.venv` from a lock file and leaves an up-to-date one unchanged.

    python3 local/bootstrap.py up      packages for `make up`
    python3 local/bootstrap.py dev     also the packages for tests, lint and training
    python3 local/bootstrap.py bench   also the packages that `make bench` compares with

Runs before any installation, so it uses only the standard library. It starts on Python 3.7 or
later in order to find a newer Python.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
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
        InstallError: the environment could not be created or filled.
    """
    environment = VirtualEnvironment(root)
    with _install_lock(environment.lock_file("bootstrap")):
        is_usable = environment.is_usable()
        installed = environment.installed_fingerprints() if is_usable else {}
        if installed.get(group) == environment.fingerprint(group):
            return False
        # Keep the largest installed group: `make up` must not remove the test tools.
        group = max([group, *installed], key=GROUPS.index)
        started = time.monotonic()
        if is_usable:
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
    if sys.version_info < MIN_PYTHON:
        _restart_with_newer_python()
        version = sys.version.split(" ", 1)[0]
        print_line(f"Python 3.11 or newer is required. {sys.executable} is {version}.")
        print_line("Install a newer one, or name it: make up PYTHON=/path/to/python3.13")
        return 1
    if len(arguments) != 1 or arguments[0] not in GROUPS:
        print_line("usage: python3 local/bootstrap.py up|dev|bench")
        return 2
    try:
        install(ROOT, arguments[0])
    except InstallError as error:
        print_line(f"make: {error}")
        return 1
    except KeyboardInterrupt:
        print_line("\nInterrupted. The next run creates .venv again.")
        return INTERRUPTED_STATUS
    except OSError as error:
        print_line(f"Cannot install into .venv: {error}")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
