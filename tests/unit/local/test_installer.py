"""Installer: uv, the pip fallback and pip's settings."""

from __future__ import annotations

from pathlib import Path

import pytest

from local import bootstrap, installer
from local.virtual_environment import VirtualEnvironment
from tests.support.python_project import installed_version, write_locks


@pytest.mark.slow
def test_install_without_uv_uses_pip(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    write_locks(project, bootstrap="uv==0.0.0.1 --hash=sha256:" + "0" * 64 + "\n")
    bootstrap.install(project, "up")
    assert installed_version(project, "parcel_one") == "1.0"


def test_install_without_pip_and_uv_names_the_package(
    project: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    monkeypatch.setattr(installer, "_pip_command", lambda _environment: None)
    with pytest.raises(installer.InstallError, match="apt install python3-venv"):
        bootstrap.install(project, "up")
    assert "Traceback" not in capsys.readouterr().out


def test_uv_variables_include_pip_settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "https://mirror.example/simple")
    monkeypatch.setenv(
        "PIP_EXTRA_INDEX_URL", "https://one.example/simple\n https://two.example/simple"
    )
    monkeypatch.delenv("UV_DEFAULT_INDEX", raising=False)
    monkeypatch.delenv("UV_INDEX", raising=False)
    variables = installer._uv_variables(VirtualEnvironment(tmp_path))
    assert (variables["UV_DEFAULT_INDEX"], variables["UV_INDEX"]) == (
        "https://mirror.example/simple",
        "https://one.example/simple https://two.example/simple",
    )
