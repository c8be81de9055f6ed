"""Bootstrap command: installs, updates and skips dependency groups."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
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
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(bootstrap, "ROOT", project)
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
        "usage: python3 local/bootstrap.py up|dev|bench [ARGUMENT_OF_PYTHON ...]\n",
    )


def test_install_by_another_python_keeps_venv(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    bootstrap.install(project, "up")
    (project / ".venv" / "marker").touch()
    version = sys.version.split()[0]
    monkeypatch.setattr(sys, "version", "3.99.1 (main)")
    assert bootstrap.install(project, "up") is False
    assert bootstrap.install(project, "dev") is True
    assert (project / ".venv" / "marker").exists()
    assert f".venv has Python {version}, and this is 3.99.1." in capsys.readouterr().out


def test_old_python_uses_existing_venv(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bootstrap.install(project, "up")
    monkeypatch.setattr(bootstrap, "ROOT", project)
    monkeypatch.setattr(sys, "version_info", (3, 9, 2))
    monkeypatch.setenv("PATH", "/nowhere")
    assert bootstrap.main(["up"]) == 0


@pytest.fixture
def running(project: Path) -> Iterator[subprocess.Popen[str]]:
    """A program that make started from an installed venv."""
    bootstrap.install(project, "up")
    code = (
        "import sys; from pathlib import Path;"
        f" sys.path.insert(0, {str(bootstrap.ROOT)!r});"
        " from local.virtual_environment import VirtualEnvironment;"
        f" VirtualEnvironment(Path({str(project)!r})).run(['-c', 'print(1, flush=True); input()'])"
    )
    with subprocess.Popen(
        [sys.executable, "-c", code], text=True, stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "1\n"
        yield process
        process.kill()


def test_changed_lock_changes_nothing_while_a_program_runs(
    project: Path, running: subprocess.Popen[str]
) -> None:
    write_locks(project, up=write_wheel(project.parent / "wheels", "parcel_one", "2.0"))
    with pytest.raises(InstallError, match=r"a program runs from it.\n  Stop it"):
        bootstrap.install(project, "up")
    assert installed_version(project, "parcel_one") == "1.0"
    running.kill()
    running.wait()
    bootstrap.install(project, "up")
    assert installed_version(project, "parcel_one") == "2.0"


@pytest.mark.parametrize("damage", ["unfinished", "pyvenv.cfg", "bin/python"])
@pytest.mark.usefixtures("running")
def test_broken_venv_stays_while_a_program_runs(project: Path, damage: str) -> None:
    file = project / ".venv" / damage
    if file.exists():
        file.unlink()
    else:
        file.touch()
    with pytest.raises(InstallError, match="a program runs from it"):
        bootstrap.install(project, "up")
    assert list(project.glob(".venv/lib/*/site-packages/parcel_one*"))


@pytest.mark.usefixtures("running")
def test_larger_group_is_added_while_a_program_runs(project: Path) -> None:
    assert bootstrap.install(project, "up") is False
    assert bootstrap.install(project, "dev") is True
    assert installed_version(project, "parcel_two") == "1.0"


def test_venv_of_another_user_is_used_and_not_changed(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bootstrap.install(project, "up")
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    assert bootstrap.install(project, "up") is False
    write_locks(project, up=write_wheel(project.parent / "wheels", "parcel_one", "2.0"))
    with pytest.raises(InstallError, match=r"it belongs to \w+.\n  Run this command as that user"):
        bootstrap.install(project, "up")
    (project / ".venv" / "pyvenv.cfg").unlink()
    with pytest.raises(InstallError, match="it belongs to"):
        bootstrap.install(project, "up")
    assert list(project.glob(".venv/lib/*/site-packages/parcel_one*"))


def test_main_runs_arguments_with_the_python_of_venv(project: Path) -> None:
    bootstrap.install(project, "up")
    script = project / "local" / "bootstrap.py"
    shutil.copytree(Path(bootstrap.__file__).parent, script.parent)
    result = subprocess.run(
        [sys.executable, str(script), "up", "-c", "import sys; print(sys.prefix, sys.argv)", "a b"],
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    assert result.stdout == f"{project / '.venv'} ['-c', 'a b']\n"
