"""Fixture: a Python project with lock files."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from tests.support.python_project import write_locks, write_wheel

PINNED = (Path(__file__).parents[3] / "requirements" / "bootstrap.txt").read_text()


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project folder with a space in its name. `up` locks one package, `dev` two."""
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    for name in [name for name in os.environ if name.startswith(("PIP_", "UV_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("PIP_FIND_LINKS", str(wheels))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_CONFIG_FILE", os.devnull)
    monkeypatch.setenv("UV_OFFLINE", "1")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", str(Path(sys.executable).parent), prepend=os.pathsep)
    root = tmp_path / "a project"
    (root / "requirements").mkdir(parents=True)
    first, second = (
        write_wheel(wheels, "parcel_one", "1.0"),
        write_wheel(wheels, "parcel_two", "1.0"),
    )
    write_locks(root, up=first, dev=first + second, bootstrap=PINNED)
    return root
