"""Stored result: the counts of an evaluation as the API stores them."""

import re
from collections import Counter
from typing import Any

from evaluation.metrics import Predictions
from web.data.api_types import ModelVersion
from web.evaluations.labeled_set import LabeledSet

EVALUATED_BY = "dashboard"
_DIGEST = re.compile(r"[0-9a-f]{64}")


def stored_result(
    model: ModelVersion, labeled_set: LabeledSet, predictions: Predictions
) -> dict[str, Any] | None:
    """Return the document of POST /evaluations, None if there is nothing to store.

    That is without a counted image, or for a model without a digest. As in the report, an image
    without a digit, with several, or without an answer does not count.
    """
    answered = [
        (true, predicted)
        for true, predicted in zip(labeled_set.labels, predictions.labels, strict=True)
        if predicted is not None
    ]
    if not answered or model.digest is None or not _DIGEST.fullmatch(model.digest):
        return None
    images = Counter(true for true, _ in answered)
    correct = Counter(true for true, predicted in answered if true == predicted)
    return {
        "experiment_name": model.name,
        "version": model.version,
        "model_digest": model.digest,
        "image_set": labeled_set.name,
        "set_digest": labeled_set.digest,
        "images": len(answered),
        "correct": correct.total(),
        "by_class": {
            label: {"images": count, "correct": correct[label]}
            for label, count in sorted(images.items())
        },
        "evaluated_by": EVALUATED_BY,
    }
