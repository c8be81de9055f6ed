"""Virtual environment: the `.venv` folder of a project and its installed dependency groups.

Standard library only: bootstrap.py runs before any installation.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
from pathlib import Path


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

        It covers the lock file, the folder (a venv cannot be moved) and the Python version.
        """
        parts = (
            self.lock_file(group).read_bytes(),
            str(self.home).encode(),
            sys.version.encode(),
        )
        return hashlib.sha256(b"\0".join(parts)).hexdigest()

    def installed_fingerprints(self) -> dict[str, str]:
        """Return group -> fingerprint of the last complete install. Empty if there was none."""
        try:
            fingerprints = json.loads(self.stamp.read_text())
        except (OSError, ValueError):
            return {}
        return fingerprints if isinstance(fingerprints, dict) else {}

    def is_usable(self) -> bool:
        """Return whether the venv is complete and matches this Python and folder."""
        if self.unfinished.exists() or not (self.home / "pyvenv.cfg").exists():
            return False
        probe = "import sys; print(sys.version); print(sys.prefix)"
        try:
            result = subprocess.run(
                [str(self.python), "-I", "-S", "-c", probe],
                capture_output=True,
                text=True,
                check=False,
            )
        except OSError:
            return False
        is_same_python = result.returncode == 0 and result.stdout.startswith(sys.version + "\n")
        return is_same_python and self._has_current_path()

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
