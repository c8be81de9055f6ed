"""Publish command with a model registry: what it prints, and what it refuses."""

from pathlib import Path

import pytest

from inference.publish_command import main
from tests.conftest import SHIPPED


@pytest.fixture
def environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    (tmp_path / "registry").mkdir()
    monkeypatch.setenv("MODELS_DIR", str(tmp_path / "models"))
    monkeypatch.setenv("MODELS_URL", f"file://{tmp_path}/registry")
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    monkeypatch.delenv("MNIST_PATH", raising=False)
    return tmp_path


def test_published_version_is_named_with_its_address(
    environment: Path, shipped_names: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([str(SHIPPED / shipped_names[0]), "mine"]) == 0
    first = capsys.readouterr().out.splitlines()[0]
    assert first == f"Published mine, version 1: file://{environment}/registry/mine/1"
    assert list((environment / "models").iterdir()) == []


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("s3://user:secret@bucket/models", "Not published: MODELS_URL must be s3://bucket/prefix"),
        ("file:///no/such/registry", "Not published: Cannot list file:///no/such/registry"),
    ],
)
def test_unusable_registry_fails_in_one_line(
    environment: Path,
    shipped_names: list[str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    url: str,
    message: str,
) -> None:
    monkeypatch.setenv("MODELS_URL", url)
    assert main([str(SHIPPED / shipped_names[0]), "mine"]) == 1
    error = capsys.readouterr().err
    assert error.startswith(message)
    assert (error.count("\n"), "secret" in error) == (1, False)
    assert not list(environment.glob("models/*"))
