"""Batch: predictions become the detector's arrays, in their order."""

import numpy as np
import pytest

from monitoring.checks.batch import Prediction, is_valid, make_batch
from monitoring.detector import tie_of

CLASSES = {"even": 0, "odd": 1}
PIXELS = bytes(range(196)) * 4
USUAL = Prediction(3, "ab" * 16, 5, "odd", [0.25, 0.75], PIXELS, "curl/8")


def test_batch_has_the_values_of_its_predictions() -> None:
    batch = make_batch([USUAL, USUAL._replace(number=4, label="even", pixels=None)], CLASSES)
    observations = batch.observations
    assert batch.numbers.tolist() == [3, 4]
    assert observations.classes.tolist() == [1, 0]
    assert observations.pixels[0].tobytes() == PIXELS
    assert observations.probabilities.dtype == np.float32
    assert observations.ties.tolist() == [tie_of("ab" * 32)] * 2


def test_empty_batch_is_possible() -> None:
    assert len(make_batch([], CLASSES)) == 0


@pytest.mark.parametrize(
    "prediction",
    [
        USUAL._replace(label="prime"),
        USUAL._replace(probabilities=[1.0]),
        USUAL._replace(probabilities=[float("nan"), 0.5]),
        USUAL._replace(probabilities=[None, 0.5]),  # type: ignore[list-item]
        USUAL._replace(pixels=b"short"),
        USUAL._replace(pixels=None),
    ],
)
def test_prediction_that_cannot_be_examined_is_invalid(prediction: Prediction) -> None:
    assert is_valid(USUAL, CLASSES, needs_pixels=True)
    assert not is_valid(prediction, CLASSES, needs_pixels=True)


def test_prediction_without_pixels_is_enough_for_other_versions() -> None:
    assert is_valid(USUAL._replace(pixels=None), CLASSES, needs_pixels=False)
