"""Confidence: the highest probability of a prediction, and the entropy of all of them."""

import numpy as np
from numpy.typing import NDArray

MAX_PROBABILITY, ENTROPY = "max_probability", "entropy"
CONFIDENCE_FEATURES = (MAX_PROBABILITY, ENTROPY)
DECIMALS = 8  # of a float32 near 1
MIN_PROBABILITY = 1e-12


def confidence_features(probabilities: NDArray[np.float32]) -> NDArray[np.float64]:
    """Return the highest probability and the entropy (nats) of N x K probabilities, N x 2.

    Both are rounded to 8 decimals.
    """
    values = probabilities.astype(np.float64)
    terms = values * np.log(np.maximum(values, MIN_PROBABILITY))
    entropy = -np.cumsum(terms, axis=1)[:, -1]
    return np.round(np.stack([values.max(axis=1), entropy], axis=1), DECIMALS)
