"""Mirror command: one copy of the registry, for an image or a job."""

import pytest

from inference.model_format.card import LITERT_FILE
from inference.registry.command import main
from tests.unit.inference.registry.conftest import LocalRegistry


@pytest.fixture(autouse=True)
def environment(registry: LocalRegistry, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MODELS_URL", registry.url)
    monkeypatch.setenv("MODELS_DIR", str(registry.models_dir))


def test_command_copies_the_registry(
    registry: LocalRegistry, capsys: pytest.CaptureFixture[str]
) -> None:
    registry.add("a/1")
    assert main([]) == 0
    assert registry.mirrored() == ["a/1"]
    assert capsys.readouterr().out == (
        f"1 versions of {registry.url} are in {registry.models_dir}.\n"
    )


def test_command_fails_for_a_refused_version(
    registry: LocalRegistry, capsys: pytest.CaptureFixture[str]
) -> None:
    (registry.add("a/1") / LITERT_FILE).unlink()
    assert main([]) == 1
    assert capsys.readouterr().err.startswith("Refused a@1: model.tflite is missing")


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("", "MODELS_URL is not set"),
        ("ftp://user:secret@host", "MODELS_URL must be s3://"),
        ("file:///no/such/directory", "Cannot list file:///no/such/directory: Check"),
    ],
)
def test_command_explains_an_unusable_registry(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], url: str, message: str
) -> None:
    monkeypatch.setenv("MODELS_URL", url)
    assert main([]) == 1
    error = capsys.readouterr().err
    assert error.startswith(message)
    assert "secret" not in error
