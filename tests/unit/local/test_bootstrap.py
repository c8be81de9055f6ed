"""The virtual environment: when it is made, updated, made anew and left alone.

All is installed from a folder.
"""

from __future__ import annotations

import base64
import hashlib
import os
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest

from local import bootstrap

PINNED = (Path(bootstrap.__file__).parent.parent / "requirements" / "bootstrap.txt").read_text()


def wheel(folder: Path, name: str, version: str) -> str:
    """Write a wheel with one module NAME whose VERSION says which it is; the line that locks it."""
    info = f"{name}-{version}.dist-info"
    files = {
        f"{name}.py": f"VERSION = {version!r}\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: test\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = f"{info}/RECORD,,\n"
    for member, text in files.items():
        digest = (
            base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
        )
        record += f"{member},sha256={digest},{len(text)}\n"
    path = folder / f"{name}-{version}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for member, text in {**files, f"{info}/RECORD": record}.items():
            archive.writestr(member, text)
    return f"{name}=={version} --hash=sha256:{hashlib.sha256(path.read_bytes()).hexdigest()}\n"


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder whose name has a space, with locks: `up` holds one package, `dev` two."""
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
    first, second = wheel(wheels, "parcel_one", "1.0"), wheel(wheels, "parcel_two", "1.0")
    lock(root, up=first, dev=first + second, bootstrap=PINNED)
    return root


def lock(root: Path, **texts: str) -> None:
    for name, text in texts.items():
        (root / "requirements" / f"{name}.txt").write_text(text)


def version(root: Path, name: str) -> str:
    """The version of a package in the environment, empty if it is not there."""
    code = f"import {name}; print({name}.VERSION)"
    command = [str(root / ".venv" / "bin" / "python"), "-c", code]
    return subprocess.run(
        command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=False
    ).stdout.strip()


def test_the_first_run_installs_and_the_second_is_over_at_once(project: Path) -> None:
    first = bootstrap.install(project, "up")
    started = time.monotonic()
    second = bootstrap.install(project, "up")
    seconds = time.monotonic() - started
    assert (first, second, version(project, "parcel_one"), seconds < 1) == (
        True,
        False,
        "1.0",
        True,
    )


def test_what_tests_need_contains_what_up_needs(project: Path) -> None:
    bootstrap.install(project, "dev")
    assert bootstrap.install(project, "up") is False


def test_what_up_needs_does_not_satisfy_tests(project: Path) -> None:
    bootstrap.install(project, "up")
    assert (bootstrap.install(project, "dev"), version(project, "parcel_two")) == (True, "1.0")


def test_what_the_benchmark_needs_contains_what_tests_need_and_stays(project: Path) -> None:
    lock(project, bench=(project / "requirements" / "dev.txt").read_text())
    bootstrap.install(project, "bench")
    assert [bootstrap.install(project, group) for group in ("dev", "up", "bench")] == [
        False,
        False,
        False,
    ]


def test_a_changed_lock_is_installed_and_keeps_the_tools_of_tests(project: Path) -> None:
    bootstrap.install(project, "dev")
    first = wheel(project.parent / "wheels", "parcel_one", "2.0")
    second = wheel(project.parent / "wheels", "parcel_two", "1.0")
    lock(project, up=first, dev=first + second)
    bootstrap.install(project, "up")
    assert (version(project, "parcel_one"), version(project, "parcel_two")) == ("2.0", "1.0")


def test_a_file_with_another_hash_is_refused_and_the_next_run_repairs(project: Path) -> None:
    good = (project / "requirements" / "up.txt").read_text()
    lock(project, up=good[:-9] + "00000000\n")
    with pytest.raises(bootstrap.InstallError):
        bootstrap.install(project, "up")
    lock(project, up=good)
    assert (bootstrap.install(project, "up"), version(project, "parcel_one")) == (True, "1.0")


def test_an_interrupted_install_is_made_anew(project: Path) -> None:
    bootstrap.install(project, "up")
    (project / ".venv" / "unfinished").touch()
    (project / ".venv" / "half").touch()
    bootstrap.install(project, "up")
    assert (version(project, "parcel_one"), (project / ".venv" / "half").exists()) == ("1.0", False)


def test_a_moved_folder_gets_a_new_environment(project: Path) -> None:
    bootstrap.install(project, "up")
    moved = project.rename(project.parent / "elsewhere")
    assert (
        bootstrap.install(moved, "up"),
        str(moved) in (moved / ".venv" / "bin" / "activate").read_text(),
    ) == (
        True,
        True,
    )


def test_an_environment_whose_python_has_gone_is_made_anew(project: Path) -> None:
    bootstrap.install(project, "up")
    python = project / ".venv" / "bin" / "python"
    python.unlink()
    python.symlink_to(project / "no such python")
    assert (bootstrap.install(project, "up"), version(project, "parcel_one")) == (True, "1.0")


def test_without_uv_pip_installs(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    lock(project, bootstrap="uv==0.0.0.1 --hash=sha256:" + "0" * 64 + "\n")
    bootstrap.install(project, "up")
    assert version(project, "parcel_one") == "1.0"


def test_a_python_without_any_installer_gets_the_package_to_install_named(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr(bootstrap, "_pip", lambda _environment: None)
    with pytest.raises(bootstrap.InstallError, match="apt install python3-venv"):
        bootstrap.install(project, "up")
    assert "Traceback" not in capsys.readouterr().out


def test_pips_settings_reach_uv(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "https://mirror.example/simple")
    monkeypatch.setenv(
        "PIP_EXTRA_INDEX_URL", "https://one.example/simple\n https://two.example/simple"
    )
    monkeypatch.delenv("UV_DEFAULT_INDEX", raising=False)
    monkeypatch.delenv("UV_INDEX", raising=False)
    found = bootstrap._uv_environment(bootstrap.Environment(tmp_path))
    assert (found["UV_DEFAULT_INDEX"], found["UV_INDEX"]) == (
        "https://mirror.example/simple",
        "https://one.example/simple https://two.example/simple",
    )


def test_an_old_python_is_named_and_so_is_what_to_do(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "version_info", (3, 9, 2))
    monkeypatch.setenv("PATH", "/nowhere")
    status = bootstrap.main(["up"])
    assert (status, "make up PYTHON=" in capsys.readouterr().out) == (1, True)
