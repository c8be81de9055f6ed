"""Calibration map: isotonic regression by hand."""

import numpy as np
import pytest

from monitoring.detector.calibration import Calibration, pool_adjacent_violators


@pytest.mark.parametrize(
    ("means", "weights", "starts", "values"),
    [
        ([1, 2, 3], [1, 1, 1], [0, 1, 2], [1, 2, 3]),
        ([1, 3, 2, 4], [1, 1, 1, 1], [0, 1, 3], [1, 2.5, 4]),
        ([3, 2, 1], [1, 1, 1], [0], [2]),
        ([1, 4, 2], [1, 1, 3], [0, 1], [1, 2.5]),
        ([5, 1, 4, 2], [1, 1, 1, 1], [0], [3]),
        ([1, 1, 2], [1, 1, 1], [0, 2], [1, 2]),
    ],
)
def test_violators_are_pooled(
    means: list[float], weights: list[float], starts: list[int], values: list[float]
) -> None:
    found = pool_adjacent_violators(np.array(means, float), np.array(weights, float))
    assert (found[0].tolist(), found[1].tolist()) == (starts, values)


def test_fit_gives_the_accuracy_of_each_step() -> None:
    confidences = np.array([0.9, 0.5, 0.5, 0.7, 0.7, 0.9])
    correct = np.array([True, False, True, False, True, True])
    calibration = Calibration.fit(confidences, correct)
    assert calibration.confidences.tolist() == [0.5, 0.9]
    assert calibration.accuracies.tolist() == [0.5, 1.0]
    assert calibration.accuracy(np.array([0.2, 0.5, 0.8, 0.9, 1.0])).tolist() == [
        *(0.5, 0.5, 0.5, 1.0, 1.0)
    ]


def test_mean_over_its_own_images_is_the_accuracy() -> None:
    rng = np.random.default_rng(0)
    confidences = rng.uniform(0.3, 1, 3000)
    correct = rng.random(3000) < confidences**2
    calibration = Calibration.fit(confidences, correct)
    assert calibration.accuracy(confidences).mean() == pytest.approx(correct.mean(), abs=1e-6)
    others = rng.uniform(0.3, 1, 3000)
    assert calibration.accuracy(others).mean() == pytest.approx((others**2).mean(), abs=0.03)


def test_calibration_returns_from_json() -> None:
    calibration = Calibration(np.array([0.5, 0.9]), np.array([0.25, 1.0]))
    again = Calibration.from_json(calibration.to_json())
    assert again.accuracy(np.array([0.6, 0.95])).tolist() == [0.25, 1.0]


@pytest.mark.parametrize(
    ("confidences", "accuracies", "message"),
    [
        ([0.5], [0.5, 0.6], "one accuracy"),
        ([], [], "one accuracy"),
        ([0.9, 0.5], [0.5, 0.6], "ascend"),
        ([0.5, 0.9], [0.6, 0.5], "ascend"),
        ([0.5, 0.9], [0.6, 1.5], "from 0 to 1"),
        ([0.5], [float("nan")], "from 0 to 1"),
    ],
)
def test_damaged_calibration_raises(
    confidences: list[float], accuracies: list[float], message: str
) -> None:
    with pytest.raises(ValueError, match=message):
        Calibration.from_json({"confidences": confidences, "accuracies": accuracies})
