"""Summary of a block of images: means of the features, label counts and estimated accuracy."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from monitoring.detector.confidence import CONFIDENCE_FEATURES, confidence_features
from monitoring.detector.observations import Observations
from monitoring.detector.path_reference import PathReference


@dataclass(frozen=True)
class Summary:
    """Summary of N images.

    Attributes:
        names: the input features, max_probability and entropy.
        means: their means over the images, NaN without an image.
        label_counts: number of images by predicted class, K int64.
        estimated_accuracy: accuracy by the reference's calibration, 0 to 1. None without images or
            without a calibration. It holds only while no drift of the images is open.

    """

    names: tuple[str, ...]
    means: NDArray[np.float64]
    label_counts: NDArray[np.int64]
    estimated_accuracy: float | None


def summarize(reference: PathReference, observations: Observations) -> Summary:
    """Return the summary of a block."""
    names = (*reference.feature_names, *CONFIDENCE_FEATURES)
    counts = np.bincount(observations.classes, minlength=reference.classes)
    if not len(observations):
        return Summary(names, np.full(len(names), np.nan), counts, None)
    confidence = confidence_features(observations.probabilities)
    values = np.concatenate([reference.input_values(observations), confidence], axis=1)
    calibration = reference.calibration
    accuracy = None if calibration is None else float(calibration.accuracy(confidence[:, 0]).mean())
    return Summary(names, values.mean(axis=0), counts, accuracy)
