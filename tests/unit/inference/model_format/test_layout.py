"""Where a model's files may lie, and which of several versions and places is served."""

import shutil
from pathlib import Path

import pytest

from inference.errors import UnknownExperimentError
from inference.model_format.card import CARD_FILE, KERAS_FILE
from inference.models.repository import State
from tests.unit.inference.conftest import Serve, eventually


@pytest.fixture
def names(shipped_names: list[str]) -> list[str]:
    """The names of the models of `models_dir`, whose contents the tests use."""
    return shipped_names[:3]


def digest_of(serve: Serve, models_dir: Path, name: str) -> str | None:
    return serve(models_dir).find(name).digest


def test_numbered_directories_are_versions_and_the_newest_ready_one_answers_for_the_name(
    serve: Serve, models_dir: Path, names: list[str]
) -> None:
    base = models_dir / names[0]
    shutil.copytree(models_dir / names[1], base / "2")
    shutil.copytree(models_dir / names[2], base / "10")
    (base / "11").mkdir()
    (base / "11" / CARD_FILE).write_text("{")
    directory = serve(models_dir)
    eventually(lambda: directory.find(names[0], 11).state is State.FAILED)
    assert [
        (model.version, model.state) for model in directory.all() if model.name == names[0]
    ] == [
        (1, State.READY),
        (2, State.READY),
        (10, State.READY),
        (11, State.FAILED),
    ]
    assert directory.find(names[0]).version == 10
    assert directory.find(names[0], 2).digest == directory.find(names[1]).digest
    with pytest.raises(UnknownExperimentError):
        directory.find(names[0], 3)


def test_names_that_are_no_versions_are_left_alone(
    serve: Serve, models_dir: Path, names: list[str]
) -> None:
    for odd in ("0", "01", "-1", "1a", "assets", ".2"):
        shutil.copytree(models_dir / names[1], models_dir / names[0] / odd)
    assert [model.version for model in serve(models_dir).all() if model.name == names[0]] == [1]


def test_a_directory_wins_over_a_loose_file_and_says_so(
    serve: Serve, models_dir: Path, names: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    (models_dir / f"{names[0]}.keras").write_bytes(b"nonsense")
    directory = serve(models_dir)
    directory._look(None)
    assert {model.state for model in directory.all()} == {State.READY}
    assert [f"{names[0]}.keras" in message for message in caplog.messages] == [True], (
        "it says so once"
    )


def test_version_1_wins_over_the_files_beside_it(
    serve: Serve, models_dir: Path, names: list[str]
) -> None:
    shutil.copytree(models_dir / names[1], models_dir / names[0] / "1")
    directory = serve(models_dir)
    assert directory.find(names[0]).digest == directory.find(names[1]).digest


def test_a_loose_file_with_numbered_directories_is_version_1(
    serve: Serve, models_dir: Path, names: list[str]
) -> None:
    shutil.copy(models_dir / names[0] / KERAS_FILE, models_dir / "both.keras")
    shutil.copytree(models_dir / names[1], models_dir / "both" / "2")
    assert [model.version for model in serve(models_dir).all() if model.name == "both"] == [1, 2]


def test_a_directory_of_models_that_is_a_link_is_followed(
    serve: Serve, models_dir: Path, tmp_path: Path
) -> None:
    (tmp_path / "link").symlink_to(models_dir)
    assert len(serve(tmp_path / "link").all()) == 3
