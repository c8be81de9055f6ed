"""MNIST test set."""

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


def test_other_shape_is_rejected(tmp_path: Path) -> None:
    path = tmp_path / "mnist.npz"
    np.savez(path, x_test=np.zeros((3, 784), np.uint8), y_test=np.array([7, 2, 1], np.uint8))
    with pytest.raises(InvalidSetError, match="wrong shape"):
        mnist_test_set(path, 2)
