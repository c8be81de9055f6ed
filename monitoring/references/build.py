"""Reference of a model: its probabilities of the test images, on both paths."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from inference.model_format.card import CARD_FILE, Card
from inference.preprocessing.canonical import Pixels
from monitoring.detector import (
    AS_SENT,
    FRAMED,
    REFERENCE_FILE,
    Basis,
    InvalidReferenceError,
    Observations,
    PathReference,
    Reference,
    load_basis,
)
from monitoring.references.files import write_reference
from monitoring.references.labeled_images import LabeledImages

BLOCK = 512  # images of one call of the model
Probabilities = NDArray[np.float32]
Predict = Callable[[Pixels], Probabilities]  # canonical pixels to probabilities


def add_reference(
    directory: Path, card: Card, predict: Predict, images: LabeledImages | None
) -> tuple[Card, str | None]:
    """Write the reference of a model beside its card. Return the card, and why there is none.

    Without images, or with too few of them, the directory has no reference: the monitor then learns
    one from the traffic. Raises OSError.
    """
    reason = "There are no test images of its classes. Set MNIST_PATH to an mnist.npz."
    if images is not None:
        try:
            reference = build_reference(predict, images, card.task)
            return write_reference(directory, card, reference), None
        except InvalidReferenceError as error:
            reason = str(error)
    (directory / REFERENCE_FILE).unlink(missing_ok=True)
    if REFERENCE_FILE in card.files:
        files = {name: record for name, record in card.files.items() if name != REFERENCE_FILE}
        card = replace(card, files=files)
        card.write(directory / CARD_FILE)
    return card, reason


def build_reference(predict: Predict, images: LabeledImages, task: str) -> Reference:
    """Return the reference of a model on test images.

    Raises InvalidReferenceError for too few images, or for probabilities that are not finite.
    """
    basis = load_basis(task)
    return Reference(
        {
            AS_SENT: _fit(predict, images, basis),
            FRAMED: _fit(predict, images.framed, basis),
        }
    )


def _fit(predict: Predict, images: LabeledImages, basis: Basis | None) -> PathReference:
    count = len(images.pixels)
    if not count:
        raise InvalidReferenceError("There are no test images. Name another file (MNIST_PATH).")
    blocks = [images.pixels[start : start + BLOCK] for start in range(0, count, BLOCK)]
    probabilities = np.concatenate([predict(block) for block in blocks])
    if not np.isfinite(probabilities).all():
        raise InvalidReferenceError("The model's probabilities are not finite. Train it again.")
    classes = probabilities.argmax(axis=1)
    observations = Observations(images.pixels, classes, probabilities, np.zeros(count))
    return PathReference.fit(observations, classes == images.labels, basis)
