"""Batch: the next images of one path for one model version, with their predictions."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from monitoring.detector import Observations, tie_of

SIDE = 28
PIXELS = SIDE * SIDE
BLANK = bytes(PIXELS)
MAX_PROBABILITY = 1.001  # of a softmax in float32


class Prediction(NamedTuple):
    """Prediction of one image. `pixels` is None where the monitor needs none."""

    number: int  # predictions.number
    image: str  # digest: its first 32 hexadecimal digits
    at: int  # Unix time, us
    label: str
    probabilities: Sequence[float]
    pixels: bytes | None
    source: str | None


@dataclass(frozen=True)
class Batch:
    """N images in the order of their numbers.

    Attributes:
        numbers: predictions.number, N int64.
        times: Unix time in us, N int64.
        observations: what the detector examines.

    """

    numbers: NDArray[np.int64]
    times: NDArray[np.int64]
    observations: Observations

    def __len__(self) -> int:
        return len(self.numbers)


def is_valid(prediction: Prediction, classes: Mapping[str, int], *, needs_pixels: bool) -> bool:
    """Return whether the detector can examine a prediction of a model with these classes."""
    values, pixels = prediction.probabilities, prediction.pixels
    if prediction.label not in classes or len(values) != len(classes):
        return False
    if any(value is None or not 0 <= value <= MAX_PROBABILITY for value in values):
        return False
    return len(pixels) == PIXELS if pixels is not None else not needs_pixels


def make_batch(predictions: Sequence[Prediction], classes: Mapping[str, int]) -> Batch:
    """Return the batch of valid predictions. `classes` has the index of each label."""
    count = len(predictions)
    pixels = b"".join(prediction.pixels or BLANK for prediction in predictions)
    probabilities = [prediction.probabilities for prediction in predictions]
    return Batch(
        np.array([prediction.number for prediction in predictions], np.int64),
        np.array([prediction.at for prediction in predictions], np.int64),
        Observations(
            np.frombuffer(pixels, np.uint8).reshape(count, SIDE, SIDE),
            np.array([classes[prediction.label] for prediction in predictions], np.int64),
            np.array(probabilities, np.float32).reshape(count, len(classes)),
            np.array([tie_of(prediction.image) for prediction in predictions], np.float64),
        ),
    )
