"""Confidence: highest probability and entropy."""

import numpy as np
import pytest

from monitoring.detector.confidence import confidence_features


def test_even_probabilities_have_the_largest_entropy() -> None:
    [[highest, entropy]] = confidence_features(np.full((1, 4), 0.25, np.float32))
    assert (highest, entropy) == (0.25, pytest.approx(np.log(4), abs=1e-8))


def test_certain_prediction_has_no_entropy() -> None:
    [[highest, entropy]] = confidence_features(np.array([[0, 1, 0]], np.float32))
    assert (highest, entropy) == (1, 0)


def test_entropy_of_two_classes_by_hand() -> None:
    [[highest, entropy]] = confidence_features(np.array([[0.75, 0.25]], np.float32))
    assert highest == 0.75
    assert entropy == pytest.approx(0.75 * np.log(4 / 3) + 0.25 * np.log(4), abs=1e-8)


def test_values_near_1_stay_apart() -> None:
    values = confidence_features(np.array([[0.9999999, 1e-7], [0.999999, 1e-6]], np.float32))
    assert values[0, 0] > values[1, 0]
    assert values[0, 1] < values[1, 1]


def test_confidence_does_not_depend_on_the_block() -> None:
    probabilities = np.random.default_rng(0).dirichlet(np.ones(10), 100).astype(np.float32)
    parts = [confidence_features(probabilities[at : at + 7]) for at in range(0, 100, 7)]
    assert np.concatenate(parts).tobytes() == confidence_features(probabilities).tobytes()
