"""Virtual environment: the `.venv` folder of a project and its installed dependency groups.

Standard library only: bootstrap.py runs before any installation.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path

# The Python of a venv, its version, and whether it finds the venv's packages. An update of the
# system's Python may replace 3.11 by 3.12, which looks for packages in another folder.
PROBE = """
import os, sys
name = "python%d.%d" % sys.version_info[:2]
print(name, sys.version.split()[0], os.path.isdir(os.path.join(sys.prefix, "lib", name)))
"""


class VirtualEnvironment:
    """The virtual environment of one project folder."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.home = root / ".venv"
        self.python = self.home / "bin" / "python"
        self.uv = self.home / "bin" / "uv"
        self.stamp = self.home / "installed.json"
        self.unfinished = self.home / "unfinished"

    def lock_file(self, name: str) -> Path:
        """Return the lock file of a dependency group."""
        return self.root / "requirements" / (name + ".txt")

    def fingerprint(self, group: str) -> str:
        """Return the fingerprint of an up-to-date install of `group`.

        It covers the lock file and the folder, because a venv cannot be moved.
        """
        parts = (self.lock_file(group).read_bytes(), str(self.home).encode())
        return hashlib.sha256(b"\0".join(parts)).hexdigest()

    def installed_fingerprints(self) -> dict[str, str]:
        """Return group -> fingerprint of the last complete install. Empty if there was none."""
        try:
            fingerprints = json.loads(self.stamp.read_text())
        except (OSError, ValueError):
            return {}
        return fingerprints if isinstance(fingerprints, dict) else {}

    def version(self) -> str | None:
        """Return the version of the venv's Python, or None if the venv is broken or incomplete.

        The Python that runs this module may be another one.
        """
        try:
            if self.unfinished.exists() or not (self.home / "pyvenv.cfg").exists():
                return None
            command = [str(self.python), "-I", "-S", "-c", PROBE]
            result = subprocess.run(command, capture_output=True, text=True, check=False)
        except OSError:
            return None
        _, version, has_packages = (*result.stdout.split(), "", "", "")[:3]
        return version if has_packages == "True" and self._has_current_path() else None

    def owner(self) -> int | None:
        """Return the user id of its owner, or None if it does not exist."""
        try:
            return self.home.lstat().st_uid
        except FileNotFoundError:
            return None

    def is_in_use(self) -> bool:
        """Return whether a program that `run` started still runs."""
        with contextlib.suppress(OSError):
            folder = os.open(str(self.home), os.O_RDONLY)
            try:
                fcntl.flock(folder, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                return True
            finally:
                os.close(folder)
        return False

    def run(self, arguments: list[str]) -> None:
        """Replace this process by the venv's Python, which keeps the venv in use."""
        if self.owner() != os.geteuid():
            os.environ["PYTHONDONTWRITEBYTECODE"] = "1"  # files that its owner could not remove
        with contextlib.suppress(OSError):  # a file system without locks
            folder = os.open(str(self.home), os.O_RDONLY)
            # The kernel unlocks it when the program ends.
            os.set_inheritable(folder, True)  # noqa: FBT003
            fcntl.flock(folder, fcntl.LOCK_SH | fcntl.LOCK_NB)
        os.execv(str(self.python), [str(self.python), *arguments])  # noqa: S606

    def _has_current_path(self) -> bool:
        """Return whether the scripts contain this folder's path.

        A moved folder keeps its old path in bin/activate and in the first line of each script.
        """
        try:
            return str(self.home) in (self.home / "bin" / "activate").read_text()
        except OSError:
            return False

    def remove(self) -> None:
        """Remove the environment, or the symlink to it."""
        if self.home.is_symlink():
            self.home.unlink()
        elif self.home.exists():
            shutil.rmtree(str(self.home))
