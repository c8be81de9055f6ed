"""Observations: shapes, slices and ties."""

from typing import Any

import numpy as np
import pytest

from monitoring.detector import Observations, tie_of
from monitoring.detector.observations import spread_ties


def observations(count: int) -> Observations:
    return Observations(
        np.zeros((count, 28, 28), np.uint8),
        np.arange(count),
        np.full((count, 10), 0.1, np.float32),
        np.linspace(0, 0.9, count),
    )


@pytest.mark.parametrize(
    ("digest", "tie"),
    [("0" * 64, 0.0), ("8" + "0" * 63, 0.5), ("c" + "0" * 63, 0.75), ("0" * 15 + "8" * 49, 0.0)],
)
def test_tie_of_digest_is_its_first_53_bits(digest: str, tie: float) -> None:
    assert tie_of(digest) == tie


def test_tie_of_highest_digest_is_below_1() -> None:
    assert 0.999 < tie_of("f" * 64) < 1


def test_spread_ties_differ_by_feature_and_family() -> None:
    ties = np.random.default_rng(0).random(2000)
    one, other = spread_ties(ties, 16), spread_ties(ties, 1, first=100)
    assert (one.shape, one.min() >= 0, one.max() < 1) == ((2000, 16), True, True)
    assert np.abs(np.corrcoef(one.T) - np.eye(16)).max() < 0.1
    assert abs(np.corrcoef(one[:, 0], other[:, 0])[0, 1]) < 0.1


def test_observations_slice_has_its_images() -> None:
    part = observations(5)[1:3]
    assert (len(part), part.classes.tolist()) == (2, [1, 2])


def test_shared_values_are_computed_once() -> None:
    calls: list[int] = []

    def compute() -> np.ndarray:
        calls.append(1)
        return np.ones(3)

    one = observations(3)
    assert one.shared("key", compute) is one.shared("key", compute)
    assert len(calls) == 1


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("pixels", np.zeros((3, 784), np.uint8), "pixels must be uint8"),
        ("pixels", np.zeros((3, 28, 28), np.float32), "pixels must be uint8"),
        ("classes", np.zeros(2, np.int64), "one value for each image"),
        ("ties", np.zeros(2), "one value for each image"),
        ("probabilities", np.zeros((2, 10), np.float32), "one row for each image"),
    ],
)
def test_observations_of_wrong_shape_raise(name: str, value: np.ndarray, message: str) -> None:
    arrays: dict[str, Any] = {
        "pixels": np.zeros((3, 28, 28), np.uint8),
        "classes": np.zeros(3, np.int64),
        "probabilities": np.zeros((3, 10), np.float32),
        "ties": np.zeros(3),
    }
    with pytest.raises(ValueError, match=message):
        Observations(**{**arrays, name: value})
