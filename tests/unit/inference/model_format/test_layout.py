"""Model directory layout: locations of versions, and precedence among them."""

import shutil
from pathlib import Path

import pytest

from inference.errors import UnknownExperimentError
from inference.model_format.card import CARD_FILE, KERAS_FILE
from inference.model_format.layout import find_files, find_models, model_name
from inference.models.version import State
from tests.unit.inference.conftest import Serve, eventually


@pytest.fixture
def names(shipped_names: list[str]) -> list[str]:
    """Names of the models in `models_dir`."""
    return shipped_names[:3]


def digest_of(serve: Serve, models_dir: Path, name: str) -> str | None:
    return serve(models_dir).snapshot().find(name).digest


def test_numbered_directories_are_versions_newest_ready_wins(
    serve: Serve, models_dir: Path, names: list[str]
) -> None:
    base = models_dir / names[0]
    shutil.copytree(models_dir / names[1], base / "2")
    shutil.copytree(models_dir / names[2], base / "10")
    (base / "11").mkdir()
    (base / "11" / CARD_FILE).write_text("{")
    directory = serve(models_dir)
    eventually(lambda: directory.snapshot().find(names[0], 11).state is State.FAILED)
    assert [
        (model.version, model.state)
        for model in directory.snapshot().all()
        if model.name == names[0]
    ] == [
        (1, State.READY),
        (2, State.READY),
        (10, State.READY),
        (11, State.FAILED),
    ]
    assert directory.snapshot().find(names[0]).version == 10
    assert (
        directory.snapshot().find(names[0], 2).digest == directory.snapshot().find(names[1]).digest
    )
    with pytest.raises(UnknownExperimentError):
        directory.snapshot().find(names[0], 3)


def test_directories_that_are_not_versions_are_ignored(
    serve: Serve, models_dir: Path, names: list[str]
) -> None:
    for odd in ("0", "01", "-1", "1a", "assets", ".2"):
        shutil.copytree(models_dir / names[1], models_dir / names[0] / odd)
    assert [
        model.version for model in serve(models_dir).snapshot().all() if model.name == names[0]
    ] == [1]


def test_directory_overrides_a_loose_file_and_logs_it_once(
    serve: Serve, models_dir: Path, names: list[str], caplog: pytest.LogCaptureFixture
) -> None:
    (models_dir / f"{names[0]}.keras").write_bytes(b"nonsense")
    directory = serve(models_dir)
    directory._scan(None)
    assert {model.state for model in directory.snapshot().all()} == {State.READY}
    assert [f"{names[0]}.keras" in message for message in caplog.messages] == [True], "logged once"


def test_version_1_overrides_the_files_beside_it(
    serve: Serve, models_dir: Path, names: list[str]
) -> None:
    shutil.copytree(models_dir / names[1], models_dir / names[0] / "1")
    directory = serve(models_dir)
    assert directory.snapshot().find(names[0]).digest == directory.snapshot().find(names[1]).digest


def test_loose_file_beside_numbered_directories_is_version_1(
    serve: Serve, models_dir: Path, names: list[str]
) -> None:
    shutil.copy(models_dir / names[0] / KERAS_FILE, models_dir / "both.keras")
    shutil.copytree(models_dir / names[1], models_dir / "both" / "2")
    assert [
        model.version for model in serve(models_dir).snapshot().all() if model.name == "both"
    ] == [1, 2]


def test_model_directory_that_is_a_symlink_is_followed(
    serve: Serve, models_dir: Path, tmp_path: Path
) -> None:
    (tmp_path / "link").symlink_to(models_dir)
    assert len(serve(tmp_path / "link").snapshot().all()) == 3


def test_model_name_is_the_first_part_below_the_root(tmp_path: Path) -> None:
    def name(*parts: str) -> str | None:
        return model_name(tmp_path, str(tmp_path.joinpath(*parts)))

    assert [name("a.keras"), name("a"), name("a", "3", KERAS_FILE)] == ["a", "a", "a"]
    assert [name(), name(".a"), name("a", ".b"), name(".publish-a", KERAS_FILE)] == [None] * 4


def test_find_models_reports_invalid_names(tmp_path: Path) -> None:
    (tmp_path / "bad name.keras").touch()
    (tmp_path / "README.md").touch()
    (tmp_path / "LICENSE").touch()
    found, messages = find_models(tmp_path)
    assert (found, [message[:18] for message in messages]) == ({}, ["Ignored 'bad name'"])
    with pytest.raises(FileNotFoundError):
        find_models(tmp_path / "nowhere")


def problems(root: Path) -> dict[tuple[str, int], str | None]:
    found, _ = find_models(root)
    return {key: files.problem for key, files in found.items()}


def test_find_models_has_misplaced_files_with_their_problem(tmp_path: Path) -> None:
    for name in ("mlp.h5", "a.weights.h5", "b.tflite", "c.onnx", "d.pt", "e.pkl", "f.zip"):
        (tmp_path / name).touch()
    for directory, file in (
        ("saved", "saved_model.pb"),
        ("h5", "model.h5"),
        ("named", "best.keras"),
        ("unzipped", "config.json"),
        ("versions/2", "saved_model.pb"),
        ("deep/v1", KERAS_FILE),
    ):
        (tmp_path / directory).mkdir(parents=True)
        (tmp_path / directory / file).touch()
    (tmp_path / "unzipped" / "metadata.json").touch()
    (tmp_path / "empty").mkdir()
    found = problems(tmp_path)
    assert None not in found.values()
    assert set(found) == {
        ("mlp.h5", 1), ("a.weights.h5", 1), ("b.tflite", 1), ("c.onnx", 1), ("d.pt", 1),
        ("e.pkl", 1), ("f.zip", 1), ("saved", 1), ("h5", 1), ("named", 1), ("unzipped", 1),
        ("versions", 2), ("deep", 1),
    }  # fmt: skip


def test_find_models_prefers_models_to_misplaced_files(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    for name in (KERAS_FILE, "a.h5", "saved_model.pb"):
        (tmp_path / "a" / name).touch()
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "b.h5").touch()
    (tmp_path / "b.keras").touch()
    assert problems(tmp_path) == {("a", 1): None, ("b", 1): None}


def test_find_models_follows_no_links(tmp_path: Path, models_dir: Path, names: list[str]) -> None:
    (tmp_path / "root").mkdir()
    target = models_dir / names[0]
    (tmp_path / "root" / "directory").symlink_to(target)
    (tmp_path / "root" / "nowhere").symlink_to("/nowhere")
    (tmp_path / "root" / "versions").mkdir()
    (tmp_path / "root" / "versions" / "3").symlink_to(target)
    found = problems(tmp_path / "root")
    assert set(found) == {("directory", 1), ("nowhere", 1), ("versions", 3)}
    assert all("links are not followed" in str(problem) for problem in found.values())


def test_find_models_logs_other_files_but_no_notes(tmp_path: Path) -> None:
    for name in ("README", "notes.txt", "report.md", ".gitignore", "data.csv"):
        (tmp_path / name).touch()
    found, messages = find_models(tmp_path)
    assert found == {}
    assert messages == ["Ignored 'data.csv' in the model directory: it is not a model."]


def test_find_files_has_sizes_and_a_changing_fingerprint(tmp_path: Path) -> None:
    assert find_files(tmp_path) is None
    (tmp_path / KERAS_FILE).write_bytes(b"abc")
    (tmp_path / "notes.txt").touch()
    files = find_files(tmp_path)
    assert files is not None
    assert (files.sizes, files.keras_file) == ({KERAS_FILE: 3}, tmp_path / KERAS_FILE)
    (tmp_path / KERAS_FILE).write_bytes(b"abd")
    changed = find_files(tmp_path)
    assert changed is not None
    assert changed.fingerprint != files.fingerprint
