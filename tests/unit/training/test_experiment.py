"""Experiment files: strict parsing, with errors that name the file and the key."""

from pathlib import Path

import pytest

from training.architectures import DeepCnn, Mlp
from training.experiment import Experiment, InvalidExperimentError, read, read_all

GOOD = """
learning_rate = 0.1
momentum = 0.9
epochs = 3
batch_size = 32
seed = 1

[architecture]
name = "mlp"
hidden = [16, 8]
"""


def write_experiment(folder: Path, text: str, name: str = "mnist_experiment_1__test") -> Path:
    path = folder / f"{name}.toml"
    path.write_text(text)
    return path


def test_read_names_the_experiment_by_file_stem(tmp_path: Path) -> None:
    expected = Experiment("mnist_experiment_1__test", Mlp((16, 8)), 0.1, 0.9, 3, 32, 1)
    assert read(write_experiment(tmp_path, GOOD)) == expected


def test_read_integer_rate_becomes_float(tmp_path: Path) -> None:
    rate = read(write_experiment(tmp_path, GOOD.replace("0.1", "1"))).learning_rate
    assert (rate, type(rate)) == (1.0, float)


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        ("seed = 1", "sed = 1", "unknown key sed; known: learning_rate, momentum"),
        ("seed = 1", "", "missing key seed"),
        ("seed = 1", "seed = true", "seed must be int, not True"),
        ("seed = 1", "seed = -1", "seed must not be negative"),
        ("epochs = 3", "epochs = 3.0", "epochs must be int, not 3.0"),
        ("epochs = 3", "epochs = 0", "epochs must be positive"),
        ("momentum = 0.9", "momentum = 1.5", "momentum must lie in 0..1"),
        ("learning_rate = 0.1", "learning_rate = nan", "learning_rate must be positive and finite"),
        ("learning_rate = 0.1", "learning_rate = '0.1'", "learning_rate must be float, not '0.1'"),
        (
            "seed = 1",
            "seed = 1\nschedule = 'step'",
            "schedule must be one of 'constant', 'cosine', not 'step'",
        ),
        ("seed = 1", "seed = 1\nweight_decay = -1", "weight_decay must be finite and not negative"),
        ("seed = 1", "seed = 1\nname = 'x'", "unknown key name"),
        ("seed = 1", "seed = ", "Invalid value"),
        (
            "seed = 1",
            "seed = 1\ntask = 'colour'",
            "task must be one of mnist, parity, not 'colour'",
        ),
        ("seed = 1", "seed = 1\ntask = 2", "task must be one of mnist, parity, not 2"),
        (
            'name = "mlp"',
            'name = "vgg"',
            r"\[architecture\] name must be one of cnn, deep_cnn, lenet5, mlp",
        ),
        ("hidden = [16, 8]", "hidden = [16, '8']", "architecture.hidden must be int, not '8'"),
        ("hidden = [16, 8]", "hidden = 16", "architecture.hidden must be a list, not 16"),
        (
            "hidden = [16, 8]",
            "hidden = []",
            "architecture.hidden must be positive, and at least one",
        ),
        (
            "hidden = [16, 8]",
            "hidden = [8]\ndropout = 1.0",
            "architecture.dropout must lie in 0..1",
        ),
        (
            "hidden = [16, 8]",
            "hidden = [8]\nwidths = [8]",
            "unknown key architecture.widths; known: architecture.hidden",
        ),
    ],
)
def test_read_invalid_file_names_file_and_key(
    tmp_path: Path, old: str, new: str, message: str
) -> None:
    path = write_experiment(tmp_path, GOOD.replace(old, new))
    with pytest.raises(InvalidExperimentError, match=f"mnist_experiment_1__test.toml: {message}"):
        read(path)


def test_read_invalid_name_raises(tmp_path: Path) -> None:
    with pytest.raises(InvalidExperimentError, match="invalid name"):
        read(write_experiment(tmp_path, GOOD, "best_model"))


def test_read_all_returns_natural_order(tmp_path: Path) -> None:
    for number in (10, 2, 1):
        write_experiment(tmp_path, GOOD, f"mnist_experiment_{number}__test")
    assert [experiment.name[17:] for experiment in read_all(tmp_path)] == [
        "1__test",
        "2__test",
        "10__test",
    ]


def test_read_all_empty_folder_raises(tmp_path: Path) -> None:
    with pytest.raises(InvalidExperimentError, match="no experiment files"):
        read_all(tmp_path)


def test_read_all_shipped_experiments_have_unique_seeds() -> None:
    seeds = [experiment.seed for experiment in read_all()]
    assert len(seeds) == len(set(seeds)) >= 24


def test_config_includes_defaults() -> None:
    experiment = Experiment("mnist_experiment_1__test", DeepCnn((8, 16)), 0.1, 0.9, 3, 32, 1)
    assert experiment.config() == {
        "learning_rate": 0.1,
        "momentum": 0.9,
        "epochs": 3,
        "batch_size": 32,
        "seed": 1,
        "schedule": "constant",
        "augment": False,
        "weight_decay": 0.0,
        "keep_model": True,
        "architecture": {"name": "deep_cnn", "widths": [8, 16], "dropout": 0.0},
    }
