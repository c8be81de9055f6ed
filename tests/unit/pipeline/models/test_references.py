"""Command that writes references of published models."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

from inference.model_format.card import Card
from monitoring.references.files import read_reference
from pipeline.models import references
from tests.conftest import SHIPPED
from tests.support.drift import draw_digits

NAME = "mnist_experiment_1__softmax_regression"
PARITY = "parity_experiment_1__softmax_regression"


@pytest.fixture
def models_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two models without a reference, a second version of one, and a loose file."""
    models = tmp_path / "models"
    for name, target in ((NAME, NAME), (NAME, f"{NAME}/2"), (PARITY, PARITY)):
        shutil.copytree(
            SHIPPED / name, models / target, ignore=shutil.ignore_patterns("reference.json")
        )
        card = json.loads((models / target / "card.json").read_text())
        card["files"].pop("reference.json", None)
        (models / target / "card.json").write_text(json.dumps(card))
    shutil.copy(SHIPPED / NAME / "model.keras", models / "loose.keras")
    pixels, labels = draw_digits(120, seed=1)
    np.savez(tmp_path / "mnist.npz", x_test=pixels, y_test=labels.astype(np.uint8))
    monkeypatch.setenv("MODELS_DIR", str(models))
    monkeypatch.setenv("MNIST_PATH", str(tmp_path / "mnist.npz"))
    return models


def written(models_dir: Path) -> list[str]:
    return sorted(
        path.parent.relative_to(models_dir).as_posix()
        for path in models_dir.rglob("reference.json")
    )


def test_each_version_gets_a_reference_that_its_card_records(models_dir: Path) -> None:
    before = Card.read(models_dir / NAME / "card.json")
    assert references.main([]) == 0
    assert written(models_dir) == [NAME, f"{NAME}/2", PARITY]
    card = Card.read(models_dir / NAME / "card.json")
    assert {name: card.files[name] for name in before.files} == before.files
    found = read_reference(models_dir / NAME)
    assert found is not None
    assert (found["as_sent"].images, found["framed"].images) == (120, 120)


def test_task_gives_the_classes_of_the_digits(models_dir: Path) -> None:
    assert references.main([PARITY]) == 0
    assert written(models_dir) == [PARITY]
    found = read_reference(models_dir / PARITY)
    assert found is not None
    accuracy = found["as_sent"].test_accuracy
    assert accuracy is not None
    assert accuracy > 0.5
    assert found["as_sent"].feature_names[-1] == "pca_error"


def test_existing_reference_stays_unless_replaced(models_dir: Path) -> None:
    assert references.main([NAME]) == 0
    path = models_dir / NAME / "reference.json"
    path.write_text("older")
    assert references.main([NAME]) == 0
    assert path.read_text() == "older"
    assert references.main([NAME, "--replace"]) == 0
    assert read_reference(models_dir / NAME) is not None


def test_repeated_command_writes_the_same_bytes(models_dir: Path) -> None:
    references.main([NAME])
    content = (models_dir / NAME / "reference.json").read_bytes()
    references.main([NAME, "--replace"])
    assert (models_dir / NAME / "reference.json").read_bytes() == content


def test_unknown_task_and_damaged_card_have_none(
    models_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    card = models_dir / PARITY / "card.json"
    card.write_text(card.read_text().replace('"task": "parity"', '"task": "letters"'))
    (models_dir / NAME / "2" / "card.json").write_text("{")
    assert references.main([]) == 1
    assert written(models_dir) == [NAME]
    out = capsys.readouterr().out
    assert "There are no test images of its classes" in out
    assert "is not a model and its card" in out


def test_without_mnist_the_command_fails(
    models_dir: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.delenv("MNIST_PATH")
    monkeypatch.setenv("KERAS_HOME", str(tmp_path))
    assert references.main([]) == 1
    assert "Set MNIST_PATH" in capsys.readouterr().err
    monkeypatch.setenv("MNIST_PATH", str(tmp_path / "nowhere.npz"))
    assert references.main([]) == 1
    assert "nowhere.npz cannot be read" in capsys.readouterr().err
    assert written(models_dir) == []
