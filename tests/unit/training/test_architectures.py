"""Architectures: output shapes, probabilities and conversion to LiteRT."""

import numpy as np
import pytest

from inference.compiler.conversion import to_litert
from tests.support.training import SMALL_ARCHITECTURES, draw_digits
from training import publish
from training.architectures import ARCHITECTURES, Architecture

# Keras saves its weights through a protocol that numpy 2 deprecates.
pytestmark = pytest.mark.filterwarnings(
    "ignore:__array__ implementation doesn't accept a copy keyword"
)


@pytest.mark.parametrize("architecture", SMALL_ARCHITECTURES)
def test_architecture_returns_probabilities_and_matches_litert(
    architecture: Architecture,
) -> None:
    model = architecture.build()
    images = draw_digits(30, seed=3)[0]
    probabilities = np.asarray(model(images.astype(np.float32), training=False))
    assert (model.input_shape, probabilities.shape) == ((None, 28, 28), (30, 10))
    assert np.allclose(probabilities.sum(axis=1), 1, atol=1e-5)
    assert publish.check_parity(model, to_litert(model), images).images == 30


def test_small_architectures_cover_all_architectures() -> None:
    assert {architecture.name for architecture in SMALL_ARCHITECTURES} == set(ARCHITECTURES)
