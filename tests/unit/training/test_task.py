"""Tasks: file format, class labels and output layers."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from inference.compiler.conversion import to_litert
from inference.model_format.card import InputSpec
from tests.support.training import SMALL_ARCHITECTURES
from training import publish
from training import task as tasks
from training.architectures import Architecture, SoftmaxRegression
from training.dataset import Dataset, Digits
from training.experiment import Experiment, read
from training.task import DIGITS, InvalidTaskError, Task

# Keras saves its weights through a protocol that numpy 2 deprecates.
pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation doesn't accept a copy keyword"
)

CURVES = Task("curves", (("round", (0, 3, 6, 8, 9)), ("straight", (1, 4, 7))), pixels="0..1")
GOOD = """
pixels = "0..1"
[classes]
round = [0, 3, 6, 8, 9]
straight = [1, 4, 7]
"""
EXPERIMENT = Experiment(
    "curves_experiment_1__test", SoftmaxRegression(), 0.1, 0.9, 3, 32, 1, task=CURVES
)


def digits(*labels: int) -> Digits:
    images = np.stack([np.full((28, 28), label, np.uint8) for label in labels])
    return Digits(images, np.array(labels, np.int32))


def test_read_names_the_task_by_file_stem(tmp_path: Path) -> None:
    (tmp_path / "curves.toml").write_text(GOOD)
    assert tasks.read("curves", tmp_path) == CURVES


def test_experiment_file_selects_its_task(tmp_path: Path) -> None:
    [shipped] = tasks.TASKS.glob("*.toml")
    text = (
        "learning_rate = 0.1\nmomentum = 0.9\nepochs = 3\nbatch_size = 32\nseed = 1\n"
        '[architecture]\nname = "lenet5"\n'
    )
    path = tmp_path / "any_experiment_1__test.toml"
    path.write_text(text)
    default = read(path).task
    path.write_text(f'task = "{shipped.stem}"\n{text}')
    assert (default, read(path).task) == (DIGITS, tasks.read(shipped.stem))


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ('"0..1"', '"0..2"', r"pixels must be one of '0\.\.255', '0\.\.1', not '0\.\.2'"),
        ('"0..1"', "[]", "pixels must be one of"),
        ("pixels", "pixel", "unknown key pixel; known: classes, pixels"),
        ("[1, 4, 7]", "[1, 4, 6]", "digits 0..9, each at most once"),
        ("[1, 4, 7]", "[1, 4, 10]", "digits 0..9"),
        ("[1, 4, 7]", "[true]", "digits 0..9"),
        ("[1, 4, 7]", "['1']", "digits 0..9"),
        ("[1, 4, 7]", "[[1]]", "digits 0..9"),
        ("[1, 4, 7]", "[]", "at least two classes, each with a list of digits"),
        ("[1, 4, 7]", "7", "each class a list"),
        ("straight = [1, 4, 7]", "", "at least two classes"),
        ("[classes]", "[class]", "unknown key class"),
        ("[classes]", "[classes", "Expected"),
    ],
)
def test_read_invalid_file_names_file_and_error(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    (tmp_path / "curves.toml").write_text(GOOD.replace(old, new))
    with pytest.raises(InvalidTaskError, match=f"curves.toml: .*{message}"):
        tasks.read("curves", tmp_path)


def test_read_name_invalid_for_cards_raises(tmp_path: Path) -> None:
    (tmp_path / "Curves.toml").write_text(GOOD)
    with pytest.raises(InvalidTaskError, match="must be a word"):
        tasks.read("Curves", tmp_path)


def test_with_class_labels_maps_and_drops_digits() -> None:
    found = CURVES.with_class_labels(Dataset(digits(7, 2, 0), digits(5, 4), digits(9, 1), "digest"))
    assert [part.labels.tolist() for part in (found.train, found.validation, found.test)] == [
        [1, 0],
        [1],
        [0, 1],
    ]
    assert [int(image[0, 0]) for image in found.train.images] == [7, 0]
    assert found.sha256 == "digest"


def test_default_task_keeps_labels_and_architecture() -> None:
    data = Dataset(digits(7, 2, 0), digits(5, 4), digits(9, 1), "digest")
    assert DIGITS.with_class_labels(data).train.labels.tolist() == [7, 2, 0]
    assert DIGITS.with_output_layer(EXPERIMENT.architecture) is EXPERIMENT.architecture


@pytest.mark.parametrize("pixels", ["0..255", "0..1"])
@pytest.mark.parametrize("architecture", SMALL_ARCHITECTURES)
def test_with_output_layer_has_one_output_per_class(
    architecture: Architecture, pixels: tasks.Pixels
) -> None:
    task = replace(CURVES, pixels=pixels)
    trained = task.with_output_layer(architecture).build()
    exported_model = task.exported(trained)
    images = np.random.default_rng(1).integers(0, 256, (30, 28, 28), np.uint8)
    whole = np.asarray(trained(images.astype(np.float32), training=False))
    part = np.asarray(
        exported_model(images.astype(np.float32) * np.float32(task.scale), training=False)
    )
    assert whole.shape == (30, 2)
    assert np.abs(whole - part).max() < 1e-5
    assert (
        publish.check_parity(
            exported_model, to_litert(exported_model), images, InputSpec(scale=task.scale)
        ).images
        == 30
    )


def test_config_contains_only_a_non_default_task() -> None:
    plain = replace(EXPERIMENT, task=DIGITS)
    assert "task" not in plain.config()
    assert EXPERIMENT.config() == plain.config() | {
        "task": {
            "name": "curves",
            "pixels": "0..1",
            "classes": {"round": [0, 3, 6, 8, 9], "straight": [1, 4, 7]},
        }
    }
