"""Artifacts: which files are loaded, compiled or rejected."""

import os
import shutil
from pathlib import Path

import pytest

from inference.model_format.card import CARD_FILE, KERAS_FILE, LITERT_FILE, file_record
from inference.model_format.layout import ModelFiles, find_files
from inference.model_format.safe_open import MAX_MODEL_BYTES
from inference.models import artifacts
from inference.models.artifacts import Artifact, PendingCompilation
from inference.runtime.network import UnservableModelError
from tests.conftest import SHIPPED
from tests.unit.inference.conftest import change_card


@pytest.fixture
def folder(tmp_path: Path, shipped_names: list[str]) -> Path:
    """A copy of a shipped model."""
    return Path(shutil.copytree(SHIPPED / shipped_names[0], tmp_path / "model"))


def files_of(folder: Path) -> ModelFiles:
    files = find_files(folder)
    assert files is not None
    return files


def test_read_confirmed_files_returns_the_artifact(folder: Path, tmp_path: Path) -> None:
    artifact = artifacts.read(files_of(folder), tmp_path)
    assert isinstance(artifact, Artifact)
    assert artifact.flatbuffer == (folder / LITERT_FILE).read_bytes()
    assert artifact.digest == file_record((folder / KERAS_FILE).read_bytes()).sha256
    assert artifacts.load_network(artifact.card, artifact.flatbuffer).bytes > 0


def test_read_without_litert_returns_a_compilation(folder: Path, tmp_path: Path) -> None:
    (folder / LITERT_FILE).unlink()
    pending = artifacts.read(files_of(folder), tmp_path)
    assert isinstance(pending, PendingCompilation)
    assert pending.keras_file == folder / KERAS_FILE
    assert pending.directory.parent == tmp_path
    assert pending.directory.name.startswith(f"{pending.digest}-"), "the card declares fields"
    assert artifacts.find_compiled(pending) is None


def test_find_compiled_returns_a_finished_compilation(folder: Path, tmp_path: Path) -> None:
    pending = PendingCompilation(
        folder / KERAS_FILE,
        file_record((folder / KERAS_FILE).read_bytes()).sha256,
        {},
        tmp_path / "compiled",
    )
    shutil.copytree(folder, pending.directory)
    found = artifacts.find_compiled(pending)
    assert found is not None
    assert found.path == pending.directory / LITERT_FILE
    (pending.directory / LITERT_FILE).write_bytes(b"damaged")
    assert artifacts.find_compiled(pending) is None


def test_compilations_with_other_fields_have_other_directories(
    folder: Path, tmp_path: Path
) -> None:
    directories = set()
    (folder / LITERT_FILE).unlink()
    for task in ("mnist", "letters"):
        change_card(folder, task=task)
        pending = artifacts.read(files_of(folder), tmp_path)
        assert isinstance(pending, PendingCompilation)
        directories.add(pending.directory)
    assert len(directories) == 2


def test_is_complete_needs_all_files_with_their_sizes(folder: Path) -> None:
    assert artifacts.is_complete(files_of(folder))
    os.truncate(folder / LITERT_FILE, 100)
    assert not artifacts.is_complete(files_of(folder))
    (folder / CARD_FILE).write_text("{")
    assert not artifacts.is_complete(files_of(folder))
    (folder / CARD_FILE).unlink()
    assert not artifacts.is_complete(files_of(folder))


def test_read_file_above_the_limit_is_rejected(folder: Path, tmp_path: Path) -> None:
    os.truncate(folder / KERAS_FILE, MAX_MODEL_BYTES + 1)
    with pytest.raises(UnservableModelError, match="make a smaller model"):
        artifacts.read(files_of(folder), tmp_path)
