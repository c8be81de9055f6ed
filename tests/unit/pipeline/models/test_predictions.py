"""Predictions of many images, with a shipped model."""

import numpy as np
import pytest
from numpy.typing import NDArray

from inference.runtime.network import Network
from pipeline.models.model import load_version
from pipeline.models.predictions import BLOCK, NO_LABEL, predict_labels, seconds_per_image
from tests.conftest import SHIPPED


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Network:
    compiled = tmp_path_factory.mktemp("compiled")
    return load_version(SHIPPED, compiled, "mnist_experiment_12__lenet5", 1).network


@pytest.fixture(scope="module")
def images() -> NDArray[np.uint8]:
    return np.random.default_rng(0).integers(0, 256, (BLOCK + 17, 28, 28), np.uint8)


def test_predict_labels_equals_one_image_at_a_time(
    network: Network, images: NDArray[np.uint8]
) -> None:
    labels = predict_labels(network, images)
    assert labels.dtype == np.uint8
    assert labels.shape == (len(images),)
    single = [int(network.probabilities(image[np.newaxis]).argmax()) for image in images[::50]]
    assert labels[::50].tolist() == single


def test_predict_labels_reports_progress_by_block(
    network: Network, images: NDArray[np.uint8]
) -> None:
    done: list[int] = []
    predict_labels(network, images, done.append)
    assert done == [BLOCK, len(images)]


def test_predict_labels_without_images(network: Network) -> None:
    assert predict_labels(network, np.empty((0, 28, 28), np.uint8)).tolist() == []


def test_predict_labels_of_an_infinite_output(
    network: Network, images: NDArray[np.uint8], monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = np.array([[0.5, np.nan], [0.2, 0.8]], np.float32)
    monkeypatch.setattr(network, "probabilities", lambda _: broken)
    assert predict_labels(network, images[:2]).tolist() == [NO_LABEL, 1]


def test_seconds_per_image_of_two_networks(network: Network, images: NDArray[np.uint8]) -> None:
    seconds = seconds_per_image([network, network], images)
    assert len(seconds) == 2
    assert all(0 < value < 1 for value in seconds)
