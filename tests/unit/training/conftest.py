"""Fixtures of the training tests: a drawn dataset and one trained model."""

from pathlib import Path

import numpy as np
import pytest

from tests.support.training import SMALL, draw_digits, train
from training import dataset, run
from training.dataset import Dataset


@pytest.fixture(scope="session")
def mnist_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("mnist") / "mnist.npz"
    (x_train, y_train), (x_test, y_test) = draw_digits(600, seed=1), draw_digits(60, seed=2)
    np.savez(path, x_train=x_train, y_train=y_train, x_test=x_test, y_test=y_test)
    return path


@pytest.fixture(scope="session")
def data(mnist_path: Path) -> Dataset:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MNIST_PATH", str(mnist_path))
        return dataset.load()


@pytest.fixture(scope="session")
def small(data: Dataset, tmp_path_factory: pytest.TempPathFactory) -> run.Run:
    return train(SMALL, data, tmp_path_factory.mktemp("small"))
