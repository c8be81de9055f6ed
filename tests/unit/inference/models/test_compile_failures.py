"""Compile failures: their records, and workers that agree on them."""

import os
import shutil
import time
from pathlib import Path
from typing import Any

import pytest

from inference.compiler.child_errors import CompilationError
from inference.compiler.process import Compiler
from inference.model_format.card import CARD_FILE, KERAS_FILE, LITERT_FILE
from inference.models import compile_failures
from inference.models.version import State
from tests.conftest import SHIPPED
from tests.unit.inference.conftest import Serve, eventually


def test_failure_applies_until_the_files_change(tmp_path: Path) -> None:
    directory = tmp_path / "digest"
    assert compile_failures.read(directory, 0) is None
    compile_failures.write(directory, "It is wrong.")
    assert compile_failures.read(directory, time.time() - 60) == "It is wrong."
    assert compile_failures.read(directory, time.time() + 60) is None
    compile_failures.remove_all(tmp_path)
    assert compile_failures.read(directory, 0) is None


@pytest.mark.parametrize("content", [b"", b"[]", b"{", b'{"reason": 3}', b"x" * 70_000])
def test_failure_record_that_is_damaged_does_not_apply(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "digest.failed").write_bytes(content)
    assert compile_failures.read(tmp_path / "digest", 0) is None


@pytest.fixture
def tried(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """The Keras files that the compiler got. Each fails with the number of the attempt."""
    files: list[Path] = []

    def fail(_: Compiler, keras_file: Path, *__: Any) -> None:
        files.append(keras_file)
        raise CompilationError(f"Failed for the {len(files)}. time.")

    monkeypatch.setattr(Compiler, "compile", fail)
    return files


@pytest.fixture
def loose(tmp_path: Path, shipped_names: list[str]) -> Path:
    """A model directory with a single Keras file."""
    (tmp_path / "models").mkdir()
    shutil.copy(SHIPPED / shipped_names[0] / KERAS_FILE, tmp_path / "models" / "loose.keras")
    return tmp_path / "models"


def test_failed_model_has_the_same_reason_in_every_worker(
    serve: Serve, loose: Path, tried: list[Path]
) -> None:
    workers = [serve(loose), serve(loose)]
    for worker in [*workers, serve(loose)]:
        eventually(lambda worker=worker: worker.snapshot().find("loose").state is State.FAILED)  # type: ignore[misc]
        assert worker.snapshot().find("loose").reason == "Failed for the 1. time."
    assert len(tried) == 1, "one worker tried it for all"
    os.utime(loose / "loose.keras")
    eventually(lambda: workers[0].snapshot().find("loose").reason == "Failed for the 2. time.")


def test_failed_model_is_served_when_another_worker_compiled_it(
    serve: Serve, loose: Path, tried: list[Path], shipped_names: list[str]
) -> None:
    directory = serve(loose)
    eventually(lambda: directory.snapshot().find("loose").state is State.FAILED)
    result = loose.parent / "compiled" / str(directory.snapshot().find("loose").digest)
    result.mkdir()
    for file in (LITERT_FILE, CARD_FILE):
        shutil.copy(SHIPPED / shipped_names[0] / file, result / file)
    eventually(lambda: directory.snapshot().find("loose").state is State.READY)
    assert len(tried) == 1


@pytest.mark.parametrize("is_readable", [True, False])
def test_bad_keras_file_leaves_its_litert_model_serving(
    serve: Serve,
    models_dir: Path,
    shipped_names: list[str],
    tried: list[Path],
    is_readable: bool,  # noqa: FBT001
) -> None:
    """Also after a restart, when the model is not in memory."""
    path = models_dir / shipped_names[0] / KERAS_FILE
    path.unlink()
    if is_readable:
        path.write_bytes(b"nonsense")
    else:
        os.mkfifo(path)
    directory = serve(models_dir)
    model = directory.snapshot().find(shipped_names[0])
    assert model.state is State.READY
    assert model.network() is not None
    eventually(
        lambda: (
            (update := directory.snapshot().find(shipped_names[0]).update) is not None
            and update.state is State.FAILED
        )
    )
    assert directory.snapshot().find(shipped_names[0]).state is State.READY
    assert len(tried) == is_readable
