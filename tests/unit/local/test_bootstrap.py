"""Bootstrap command: installs, updates and skips dependency groups."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from local import bootstrap
from local.installer import InstallError
from tests.support.python_project import installed_version, write_locks, write_wheel


def test_install_second_run_does_nothing_within_a_second(project: Path) -> None:
    first = bootstrap.install(project, "up")
    started = time.monotonic()
    second = bootstrap.install(project, "up")
    seconds = time.monotonic() - started
    assert (first, second, installed_version(project, "parcel_one"), seconds < 1) == (
        True,
        False,
        "1.0",
        True,
    )


def test_install_up_after_dev_does_nothing(project: Path) -> None:
    bootstrap.install(project, "dev")
    assert bootstrap.install(project, "up") is False


def test_install_dev_after_up_adds_packages(project: Path) -> None:
    bootstrap.install(project, "up")
    assert (bootstrap.install(project, "dev"), installed_version(project, "parcel_two")) == (
        True,
        "1.0",
    )


def test_install_smaller_groups_after_bench_do_nothing(project: Path) -> None:
    write_locks(project, bench=(project / "requirements" / "dev.txt").read_text())
    bootstrap.install(project, "bench")
    assert [bootstrap.install(project, group) for group in ("dev", "up", "bench")] == [
        False,
        False,
        False,
    ]


def test_install_changed_lock_updates_and_keeps_dev(project: Path) -> None:
    bootstrap.install(project, "dev")
    first = write_wheel(project.parent / "wheels", "parcel_one", "2.0")
    second = write_wheel(project.parent / "wheels", "parcel_two", "1.0")
    write_locks(project, up=first, dev=first + second)
    bootstrap.install(project, "up")
    assert (installed_version(project, "parcel_one"), installed_version(project, "parcel_two")) == (
        "2.0",
        "1.0",
    )


@pytest.mark.slow
def test_install_wrong_hash_fails_and_next_run_repairs(project: Path) -> None:
    good = (project / "requirements" / "up.txt").read_text()
    write_locks(project, up=good[:-9] + "00000000\n")
    with pytest.raises(InstallError):
        bootstrap.install(project, "up")
    write_locks(project, up=good)
    assert (bootstrap.install(project, "up"), installed_version(project, "parcel_one")) == (
        True,
        "1.0",
    )


def test_install_after_interruption_recreates_venv(project: Path) -> None:
    bootstrap.install(project, "up")
    (project / ".venv" / "unfinished").touch()
    (project / ".venv" / "half").touch()
    bootstrap.install(project, "up")
    assert (installed_version(project, "parcel_one"), (project / ".venv" / "half").exists()) == (
        "1.0",
        False,
    )


def test_main_old_python_prints_version_and_remedy(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 9, 2))
    monkeypatch.setenv("PATH", "/nowhere")
    status = bootstrap.main(["up"])
    assert (status, "make up PYTHON=" in capsys.readouterr().out) == (1, True)


def test_bootstrap_runs_by_path_without_site_packages() -> None:
    result = subprocess.run(
        [sys.executable, "-I", "-S", bootstrap.__file__],
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    assert (result.returncode, result.stdout) == (
        2,
        "usage: python3 local/bootstrap.py up|dev|bench\n",
    )
