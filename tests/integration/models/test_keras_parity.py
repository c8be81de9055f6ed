"""Parity: every shipped model agrees with Keras on all MNIST test digits."""

import os

import numpy as np
import pytest
from numpy.typing import NDArray

from inference.model_format.card import CARD_FILE, KERAS_FILE, LITERT_FILE, MAX_ABS_DIFFERENCE, Card
from inference.runtime.network import Network, to_input
from tests.conftest import SHIPPED

NAMES = sorted(path.parent.name for path in SHIPPED.glob(f"*/{KERAS_FILE}"))
# Large batches are faster. At this size, a layer of 20 channels of 28x28 takes 125 MB.
KERAS_BATCH = 2000

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif("MNIST_PATH" not in os.environ, reason="MNIST_PATH names no mnist.npz"),
]


@pytest.fixture(scope="module")
def mnist_digits() -> NDArray[np.uint8]:
    """MNIST's test digits, (10000, 28, 28)."""
    with np.load(os.environ["MNIST_PATH"]) as mnist:
        digits: NDArray[np.uint8] = mnist["x_test"]
        return digits


@pytest.mark.parametrize("name", NAMES)
def test_litert_probabilities_equal_keras_for_all_test_digits(
    name: str, mnist_digits: NDArray[np.uint8]
) -> None:
    import keras  # noqa: PLC0415  # a run without MNIST skips this slow import

    card = Card.read(SHIPPED / name / CARD_FILE)
    network = Network(
        (SHIPPED / name / LITERT_FILE).read_bytes(), len(card.classes), card.input, card.output
    )
    model = keras.saving.load_model(SHIPPED / name / KERAS_FILE, compile=False)
    expected = model.predict(to_input(mnist_digits, card.input), batch_size=KERAS_BATCH, verbose=0)
    given = network.probabilities(mnist_digits)
    assert given.shape == expected.shape == (10_000, len(card.classes))
    assert (given.argmax(axis=1) == expected.argmax(axis=1)).all()
    assert np.abs(given - expected).max() <= MAX_ABS_DIFFERENCE
