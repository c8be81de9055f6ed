"""Virtual environment: detection of unusable environments."""

from __future__ import annotations

from pathlib import Path

from local import bootstrap
from tests.support.python_project import installed_version


def test_install_in_moved_folder_recreates_venv(project: Path) -> None:
    bootstrap.install(project, "up")
    moved = project.rename(project.parent / "elsewhere")
    assert (
        bootstrap.install(moved, "up"),
        str(moved) in (moved / ".venv" / "bin" / "activate").read_text(),
    ) == (
        True,
        True,
    )


def test_install_with_missing_python_recreates_venv(project: Path) -> None:
    bootstrap.install(project, "up")
    python = project / ".venv" / "bin" / "python"
    python.unlink()
    python.symlink_to(project / "no such python")
    assert (bootstrap.install(project, "up"), installed_version(project, "parcel_one")) == (
        True,
        "1.0",
    )
