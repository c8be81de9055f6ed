"""Robustness command over copies of shipped models."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from inference.model_format import layout, robustness
from inference.model_format.robustness import ROBUSTNESS_FILE
from pipeline.models.robustness import main
from tests.conftest import SHIPPED

SMALL, PARITY = "mnist_experiment_1__softmax_regression", "parity_experiment_2__mlp_32"


@pytest.fixture
def models(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A model directory with two models, a version and a loose file, and a file of test images."""
    folder = tmp_path / "models"
    for name in (SMALL, PARITY):
        shutil.copytree(SHIPPED / name, folder / name)
        (folder / name / ROBUSTNESS_FILE).unlink(missing_ok=True)
    shutil.copytree(folder / SMALL, folder / SMALL / "2")
    shutil.copyfile(folder / SMALL / "model.keras", folder / "loose.keras")
    random = np.random.default_rng(0)
    np.savez(
        tmp_path / "mnist.npz",
        x_test=random.integers(0, 256, (20, 28, 28), np.uint8),
        y_test=random.integers(0, 10, 20),
    )
    monkeypatch.setenv("MODELS_DIR", str(folder))
    monkeypatch.setenv("MNIST_PATH", str(tmp_path / "mnist.npz"))
    return folder


def digest(folder: Path) -> str:
    record: dict[str, dict[str, str]] = json.loads((folder / "card.json").read_bytes())["files"]
    return record["model.keras"]["sha256"]


def test_models_without_a_result_are_measured_once(
    models: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([]) == 0
    assert capsys.readouterr().out.count("over 28 corruptions") == 3
    for folder in (models / SMALL, models / SMALL / "2", models / PARITY):
        found = robustness.read(folder, digest(folder))
        assert found is not None
        assert (found.images, len(found.scores)) == (20, 28)
    assert main([]) == 0
    assert capsys.readouterr().out == ""


def test_models_look_unchanged_to_the_service(models: Path) -> None:
    """The service loads a version again only if its fingerprint changes."""
    before = layout.find_models(models)
    assert main([]) == 0
    assert (models / SMALL / ROBUSTNESS_FILE).exists()
    assert layout.find_models(models) == before


def test_damaged_result_is_measured_again(models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main([SMALL])
    (models / SMALL / ROBUSTNESS_FILE).write_text("{")
    capsys.readouterr()
    assert main([SMALL]) == 0
    assert capsys.readouterr().out.startswith(f"{models / SMALL}: Robustness ")


@pytest.mark.usefixtures("models")
def test_replace_measures_named_models_again(capsys: pytest.CaptureFixture[str]) -> None:
    main([])
    capsys.readouterr()
    assert main([PARITY, "--replace"]) == 0
    assert capsys.readouterr().out.count("over 28 corruptions") == 1


def test_changed_model_file_is_a_failure(models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (models / PARITY / "model.tflite").write_bytes(b"other")
    assert main([]) == 1
    assert capsys.readouterr().out.count("over 28 corruptions") == 2
    assert not (models / PARITY / ROBUSTNESS_FILE).exists()


def test_unknown_task_has_no_test_images(models: Path, capsys: pytest.CaptureFixture[str]) -> None:
    card = json.loads((models / SMALL / "card.json").read_bytes())
    (models / SMALL / "card.json").write_text(json.dumps({**card, "task": "letters"}))
    assert main([SMALL]) == 1
    assert "no test images of its classes" in capsys.readouterr().out


def test_command_without_test_images_fails(
    models: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MNIST_PATH", str(models / "none.npz"))
    assert main([]) == 1
    monkeypatch.delenv("MNIST_PATH")
    monkeypatch.setenv("KERAS_HOME", str(models))
    assert main([]) == 1
    assert capsys.readouterr().err.count("Set MNIST_PATH to an mnist.npz.") == 2
