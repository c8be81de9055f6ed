"""Robustness of a network: its accuracy on corrupted test images, measured."""

import hashlib

import numpy as np
from numpy.typing import NDArray

from evaluation.robustness import PASSES, choose_images, score
from inference.model_format.card import KERAS_FILE, LITERT_FILE, Card
from inference.model_format.robustness import Robustness, Score
from inference.preprocessing.canonical import Pixels
from inference.runtime.network import Network

# A model that takes longer is not measured: a publication should not wait for minutes.
MAX_SECONDS = 120.0

Classes = NDArray[np.int64]


def measure(network: Network, pixels: Pixels, classes: Classes, digest: str) -> Robustness | None:
    """Return the robustness of a network on up to 300 of the test images.

    `pixels` are canonical, uint8 of shape (n, 28, 28), at least one, and `classes` their class
    indices (n). `digest` is that of the network's version. None for a network that would take more
    than MAX_SECONDS.
    """
    if network.seconds_per_image * PASSES > MAX_SECONDS:
        return None
    chosen = choose_images(len(classes))
    pixels, classes = pixels[chosen], classes[chosen]

    def predict(corrupted: Pixels) -> Classes:
        """Return class indices; -1, which is never correct, where the output is not finite."""
        table = network.probabilities(corrupted)
        finite = np.isfinite(table).all(axis=1)
        return np.where(finite, np.nan_to_num(table).argmax(axis=1), -1)

    scores = score(predict, pixels, classes)
    return Robustness(
        model=digest,
        images_digest=_digest(pixels, classes),
        images=len(classes),
        correct=int((predict(pixels) == classes).sum()),
        scores=tuple(
            Score(one.corruption, one.severity, one.amount, one.images, one.correct)
            for one in scores
        ),
    )


def version_digest(card: Card) -> str:
    """Return the digest of a version: that of model.keras, or of model.tflite without one."""
    record = card.files.get(KERAS_FILE) or card.files[LITERT_FILE]
    return record.sha256


def describe(found: Robustness) -> str:
    """Return a result in words."""
    return (
        f"Robustness {found.mean_accuracy:.1%} over {len(found.scores)} corruptions, "
        f"{found.correct / found.images:.1%} without one"
    )


def _digest(pixels: Pixels, classes: Classes) -> str:
    content = np.ascontiguousarray(pixels).tobytes() + classes.astype("<i8").tobytes()
    return hashlib.sha256(content).hexdigest()
