"""Summary of a block of images: means of the features, label counts and estimated accuracy."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from monitoring.detector.confidence import confidence_features
from monitoring.detector.observations import Observations
from monitoring.detector.path_reference import PathReference


@dataclass(frozen=True)
class Summary:
    """Summary of N images.

    Attributes:
        means: means of the input features (`reference.feature_names`), F float64, NaN without an
            image.
        label_counts: number of images by predicted class, K int64.
        estimated_accuracy: accuracy by the reference's calibration, 0 to 1. None without images or
            without a calibration. It holds only while no drift of the images is open.

    """

    means: NDArray[np.float64]
    label_counts: NDArray[np.int64]
    estimated_accuracy: float | None


def summarize(reference: PathReference, observations: Observations) -> Summary:
    """Return the summary of a block."""
    counts = np.bincount(observations.classes, minlength=reference.classes)
    if not len(observations):
        return Summary(np.full(len(reference.feature_names), np.nan), counts, None)
    means = reference.input_values(observations).mean(axis=0)
    if reference.calibration is None:
        return Summary(means, counts, None)
    confidences = confidence_features(observations.probabilities)[:, 0]
    accuracy = float(reference.calibration.accuracy(confidences).mean())
    return Summary(means, counts, accuracy)
