"""Compiler worker: replies to jobs, and the errors in them."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from inference.compiler import conversion, worker
from inference.compiler.child_errors import OUT_OF_MEMORY, CompilationError
from inference.model_format.card import LITERT_FILE, Card, Parity

KERAS_ERROR = "Keras cannot load or convert the model"
CARD = Card("a", {}, Parity(1, 0.0, equal_argmax=True))


class ResourceExhaustedError(Exception):
    """Named like TensorFlow's."""


def reply(tmp_path: Path, kind: str = "keras", **job: object) -> dict[str, Any]:
    (tmp_path / "source").write_bytes(b"source")
    descriptor = os.open(tmp_path / "source", os.O_RDONLY)
    return worker._reply_to({"kind": kind, "declared": {}, **job}, [descriptor])


def test_reply_has_the_card_and_writes_the_flatbuffer(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def compile_keras(content: bytes, _: Mapping[str, Any]) -> tuple[Card, bytes]:
        return CARD, content + b" compiled"

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(conversion, "compile_keras", compile_keras)
    answer = reply(tmp_path)
    assert (answer["error"], answer["card"]["experiment"]) == (None, "a")
    assert (tmp_path / LITERT_FILE).read_bytes() == b"source compiled"


def test_reply_names_the_files_of_a_saved_model(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found: list[Mapping[str, bytes]] = []

    def compile_saved_model(
        contents: Mapping[str, bytes], _: Mapping[str, Any]
    ) -> tuple[Card, bytes]:
        found.append(contents)
        return CARD, b"x"

    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(conversion, "compile_saved_model", compile_saved_model)
    assert reply(tmp_path, "saved_model", names=["saved_model.pb"])["error"] is None
    assert found == [{"saved_model.pb": b"source"}]


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (CompilationError("It has two inputs."), "It has two inputs."),
        (MemoryError(), OUT_OF_MEMORY),
        (ResourceExhaustedError("OOM"), OUT_OF_MEMORY),
        (
            ValueError("All of the model. Exception encountered: units must\n be positive."),
            f"{KERAS_ERROR}: units must be positive. Correct it and save it again.",
        ),
        (
            KeyError(),
            f"{KERAS_ERROR}: KeyError. Correct it and save it again.",
        ),
    ],
)
def test_reply_to_a_failing_job_has_the_error(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, error: Exception, message: str
) -> None:
    def fail(*_: object) -> None:
        raise error

    monkeypatch.setattr(conversion, "compile_keras", fail)
    assert reply(tmp_path) == {"error": message}


def test_reply_shortens_long_errors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> None:
        raise ValueError("a" * 10_000)

    monkeypatch.setattr(conversion, "compile_keras", fail)
    assert len(reply(tmp_path)["error"]) < 500
