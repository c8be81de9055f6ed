"""MNIST test set."""

import io
from pathlib import Path

import numpy as np
import pytest

from tests.support.digits import seven_png
from web.evaluations.labeled_set import InvalidSetError
from web.evaluations.mnist_test_set import mnist_test_set


def test_mnist_file_is_read(tmp_path: Path) -> None:
    path = tmp_path / "mnist.npz"
    np.savez(path, x_test=np.zeros((3, 28, 28), np.uint8), y_test=np.array([7, 2, 1], np.uint8))
    assert mnist_test_set(path, 2).labels == ("7", "2")


def test_other_file_is_rejected(tmp_path: Path) -> None:
    path = tmp_path / "mnist.npz"
    path.write_bytes(seven_png())
    for unusable in (path, tmp_path / "none.npz"):
        with pytest.raises(InvalidSetError, match="MNIST_PATH"):
            mnist_test_set(unusable, 2)


def test_damaged_file_is_rejected(tmp_path: Path) -> None:
    path = tmp_path / "mnist.npz"
    pixels = np.arange(784, dtype=np.uint8).reshape(1, 28, 28)
    np.savez_compressed(path, x_test=pixels, y_test=np.zeros(1, np.uint8))
    damaged = bytearray(path.read_bytes())
    damaged[60:70] = b"\xff" * 10
    array = io.BytesIO()
    np.save(array, pixels)
    for content in (bytes(damaged), array.getvalue(), b""):
        path.write_bytes(content)
        with pytest.raises(InvalidSetError, match="MNIST_PATH"):
            mnist_test_set(path, 2)


def test_other_shape_is_rejected(tmp_path: Path) -> None:
    path = tmp_path / "mnist.npz"
    np.savez(path, x_test=np.zeros((3, 784), np.uint8), y_test=np.array([7, 2, 1], np.uint8))
    with pytest.raises(InvalidSetError, match="wrong shape"):
        mnist_test_set(path, 2)
