"""Image selection: the hardest images, and the images of a confusion matrix cell."""

from collections.abc import Sequence

import numpy as np

from evaluation.metrics import Predictions


def hardest_images(true_labels: Sequence[str], predictions: Predictions) -> list[int]:
    """Return the indices of answered images, the lowest probability of the true label first."""
    if not len(true_labels):
        return []
    column_of = {label: index for index, label in enumerate(predictions.classes)}
    columns = [column_of[label] for label in true_labels]
    true_probabilities = predictions.probabilities[np.arange(len(true_labels)), columns]
    order = np.argsort(true_probabilities, kind="stable")
    return [int(index) for index in order if not np.isnan(true_probabilities[index])]


def images_in_cell(
    true_labels: Sequence[str], predictions: Predictions, true: str, predicted: str
) -> list[int]:
    """Return the indices of the images in a confusion matrix cell, most confident first."""
    indices = [
        index
        for index, labels in enumerate(zip(true_labels, predictions.labels, strict=True))
        if labels == (true, predicted)
    ]
    return sorted(indices, key=lambda index: -float(predictions.probabilities[index].max()))
