"""Loading, splitting and augmenting digits."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from training import augment, dataset
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


def test_one_training_digit_in_twelve_is_held_out_for_validation(mnist_path: Path) -> None:
    np.savez(mnist_path, **arrays())
    data = dataset.load()
    assert (len(data.train.labels), len(data.validation.labels), len(data.test.labels)) == (
        110,
        10,
        24,
    )


def test_no_digit_is_in_both_training_and_validation(mnist_path: Path) -> None:
    np.savez(mnist_path, **arrays())
    data = dataset.load()
    train, validation = (
        {image.tobytes() for image in part.images} for part in (data.train, data.validation)
    )
    assert (len(train & validation), len(train | validation)) == (0, 120)


def test_a_changed_pixel_changes_the_digest_and_loading_again_does_not(mnist_path: Path) -> None:
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
def test_arrays_that_are_not_mnist_are_refused(
    mnist_path: Path, key: str, value: np.ndarray, message: str
) -> None:
    np.savez(mnist_path, **(arrays() | {key: value}))
    with pytest.raises(InvalidDatasetError, match=message):
        dataset.load()


def test_a_missing_file_is_named(mnist_path: Path) -> None:
    with pytest.raises(InvalidDatasetError, match=f"MNIST_PATH={mnist_path}"):
        dataset.load()


def test_half_a_file_is_refused(mnist_path: Path) -> None:
    np.savez(mnist_path, **arrays())
    mnist_path.write_bytes(mnist_path.read_bytes()[:50_000])
    with pytest.raises(InvalidDatasetError, match="cannot be read as mnist"):
        dataset.load()


def test_an_archive_without_labels_is_refused(mnist_path: Path) -> None:
    np.savez(mnist_path, x_train=arrays()["x_train"])
    with pytest.raises(InvalidDatasetError, match="y_train"):
        dataset.load()


def test_the_same_generator_draws_the_same_transforms() -> None:
    first, second = (augment.transforms(5, np.random.default_rng([1, 2])) for _ in range(2))
    assert np.array_equal(first, second)


def test_the_centre_of_a_digit_moves_by_at_most_the_shift() -> None:
    rows = augment.transforms(1000, np.random.default_rng(0))
    centre = np.array([augment.CENTRE, augment.CENTRE, 1])
    moved = np.stack([rows[:, 0:3] @ centre, rows[:, 3:6] @ centre], axis=1) - augment.CENTRE
    assert np.abs(moved).max() <= augment.SHIFT_PIXELS + 1e-4


def test_a_transform_moves_pixels_the_way_its_row_says() -> None:
    image = np.zeros((1, 28, 28), np.float32)
    image[0, 10, 20] = 255
    # Output pixel (x, y) is taken from input pixel (x + 3, y): ink moves three to the left.
    moved = np.asarray(augment.apply(image, np.array([[1, 0, 3, 0, 1, 0, 0, 0]], np.float32)))
    assert [index.tolist() for index in np.nonzero(moved)] == [[0], [10], [17]]
