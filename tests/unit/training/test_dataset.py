"""Dataset: loading, validation and splits."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from training import dataset
from training.dataset import InvalidDatasetError


def arrays(count: int = 120) -> Any:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (count, 28, 28), dtype=np.uint8)
    labels = (np.arange(count) % 10).astype(np.uint8)
    return {"x_train": images, "y_train": labels, "x_test": images[:24], "y_test": labels[:24]}


@pytest.fixture
def mnist_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "mnist.npz"
    monkeypatch.setenv("MNIST_PATH", str(path))
    return path


def test_load_holds_out_one_in_twelve_for_validation(mnist_path: Path) -> None:
    np.savez(mnist_path, **arrays())
    data = dataset.load()
    assert (len(data.train.labels), len(data.validation.labels), len(data.test.labels)) == (
        110,
        10,
        24,
    )


def test_load_training_and_validation_are_disjoint(mnist_path: Path) -> None:
    np.savez(mnist_path, **arrays())
    data = dataset.load()
    train, validation = (
        {image.tobytes() for image in part.images} for part in (data.train, data.validation)
    )
    assert (len(train & validation), len(train | validation)) == (0, 120)


def test_load_digest_changes_only_with_the_data(mnist_path: Path) -> None:
    changed = arrays()
    np.savez(mnist_path, **changed)
    first, again = dataset.load().sha256, dataset.load().sha256
    changed["x_test"][0, 0, 0] ^= 1
    np.savez(mnist_path, **changed)
    assert (first == again, first == dataset.load().sha256) == (True, False)


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("x_train", np.zeros((120, 28, 28)), "x_train must be uint8"),
        ("x_test", np.zeros((24, 784), np.uint8), "x_test must be uint8"),
        ("y_test", np.zeros(7, np.uint8), "as many y_test"),
        ("y_train", np.full(120, 10, np.uint8), "labels 0..9"),
    ],
)
def test_load_invalid_arrays_raises(
    mnist_path: Path, key: str, value: np.ndarray, message: str
) -> None:
    np.savez(mnist_path, **(arrays() | {key: value}))
    with pytest.raises(InvalidDatasetError, match=message):
        dataset.load()


def test_load_missing_file_names_the_path(mnist_path: Path) -> None:
    with pytest.raises(InvalidDatasetError, match=f"MNIST_PATH={mnist_path}"):
        dataset.load()


def test_load_truncated_file_raises(mnist_path: Path) -> None:
    np.savez(mnist_path, **arrays())
    mnist_path.write_bytes(mnist_path.read_bytes()[:50_000])
    with pytest.raises(InvalidDatasetError, match="cannot be read as mnist"):
        dataset.load()


def test_load_archive_without_labels_raises(mnist_path: Path) -> None:
    np.savez(mnist_path, x_train=arrays()["x_train"])
    with pytest.raises(InvalidDatasetError, match="y_train"):
        dataset.load()
