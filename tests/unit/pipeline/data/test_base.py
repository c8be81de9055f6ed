"""Base dataset: MNIST as training.dataset has it."""

import socket
import sys
from pathlib import Path

import numpy as np
import pytest

from inference.preprocessing.digits import pixel_digest
from pipeline.data import base
from pipeline.data.base import UnusableBaseError, load_base
from tests.support.learning_data import different_digits, write_base
from training import dataset, task


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_base(tmp_path_factory.mktemp("base") / "mnist.npz")


def test_base_has_the_digest_and_splits_of_training(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MNIST_PATH", str(path))
    loaded, expected = load_base(), dataset.load()

    assert loaded.sha256 == expected.sha256
    for split, digits in (("train", expected.train), ("validation", expected.validation)):
        chosen = np.array([name == split for name in loaded.splits])
        np.testing.assert_array_equal(loaded.train_images[chosen], digits.images)
        np.testing.assert_array_equal(loaded.train_labels[chosen], digits.labels)
    np.testing.assert_array_equal(loaded.test_images, expected.test.images)


def test_base_finds_images_by_digest(path: Path) -> None:
    loaded = load_base({"MNIST_PATH": str(path)})
    assert loaded.train_index[pixel_digest(loaded.train_images[5])] == 5
    assert loaded.test_index[pixel_digest(loaded.test_images[7])] == 7
    assert not loaded.train_index.keys() & loaded.test_index.keys()
    parity = task.read("parity")
    odd = loaded.train_labels[5] % 2 == 1
    assert loaded.train_class(5, parity) == ("odd" if odd else "even")


def test_base_without_a_path_is_that_of_keras_cache(path: Path, tmp_path: Path) -> None:
    cache = tmp_path / "datasets" / "mnist.npz"
    cache.parent.mkdir()
    cache.write_bytes(path.read_bytes())
    loaded = load_base({"KERAS_HOME": str(tmp_path)})
    assert loaded.sha256 == load_base({"MNIST_PATH": str(path)}).sha256


def test_base_that_cannot_be_downloaded_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    program = "raise OSError('no route')"
    monkeypatch.setattr(base, "DOWNLOAD", [sys.executable, "-c", program])
    message = r"Keras cannot download it \(OSError: no route\)\. Set MNIST_PATH to an mnist\.npz"
    with pytest.raises(UnusableBaseError, match=message):
        load_base({"KERAS_HOME": str(tmp_path)})


@pytest.mark.slow  # imports TensorFlow
def test_download_from_a_silent_server_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(base, "STALL_SECONDS", 1)
    monkeypatch.setattr(base, "DOWNLOAD_SECONDS", 90)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        proxy = f"http://127.0.0.1:{silent.getsockname()[1]}"
        environ = {"KERAS_HOME": str(tmp_path), "https_proxy": proxy, "no_proxy": ""}
        with pytest.raises(UnusableBaseError, match=r"timed out.*\. Set MNIST_PATH"):
            load_base(environ)


def test_download_that_takes_too_long_is_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(base, "DOWNLOAD", [sys.executable, "-c", "import time; time.sleep(60)"])
    monkeypatch.setattr(base, "DOWNLOAD_SECONDS", 0.2)
    with pytest.raises(UnusableBaseError, match=r"not downloaded it in 0\.2 s\. Set MNIST_PATH"):
        load_base({"KERAS_HOME": str(tmp_path)})


@pytest.mark.parametrize(
    "change",
    [
        {"x_train": None},
        {"x_train": np.zeros((20, 14, 14), np.uint8)},
        {"x_train": np.zeros((600, 28, 28))},
        {"y_train": np.full(600, 10, np.uint8)},
        {"y_train": np.zeros((600, 1), np.uint8)},
        {"y_test": np.zeros(60)},
    ],
)
def test_base_of_another_layout_is_rejected(
    change: dict[str, np.ndarray | None], path: Path, tmp_path: Path
) -> None:
    with np.load(path) as archive:
        arrays = {key: change.get(key, archive[key]) for key in archive}
    kept = {key: array for key, array in arrays.items() if array is not None}
    np.savez(tmp_path / "mnist.npz", **kept)
    with pytest.raises(UnusableBaseError, match=r"Set MNIST_PATH to an mnist\.npz"):
        load_base({"MNIST_PATH": str(tmp_path / "mnist.npz")})


def test_missing_base_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(UnusableBaseError, match="No such file"):
        load_base({"MNIST_PATH": str(tmp_path / "none")})


def test_drawn_digits_of_the_tests_differ() -> None:
    images, _ = different_digits(600, 1)
    assert len({image.tobytes() for image in images}) == 600
