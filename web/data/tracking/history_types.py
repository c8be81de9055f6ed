"""Types of the prediction history: filters, predictions, answers and accuracy."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

import pandas as pd


@dataclass(frozen=True)
class HistoryFilter:
    """Criteria for predictions. A criterion of None or False matches all predictions.

    Attributes:
        task: classification task.
        experiment, version: model.
        label, true_label: predicted label, and label that a person gave.
        is_wrong: predictions that differ from the label.
        is_labeled: predictions of labeled images.
        disagrees: images that versions of the task predict differently.
        below: upper limit of the confidence, exclusive, 0 to 1.
        since, until: limits of the time of the prediction, the second exclusive.
        source: program that sent the image first.
        has_warning: images without a digit, or with several.
        is_once: only the most confident matching prediction of each image. Without effect on a
            search by experiment or source.

    """

    task: str | None = None
    experiment: str | None = None
    version: int | None = None
    label: str | None = None
    true_label: str | None = None
    is_wrong: bool = False
    is_labeled: bool = False
    disagrees: bool = False
    below: float | None = None
    since: datetime | None = None
    until: datetime | None = None
    source: str | None = None
    has_warning: bool = False
    is_once: bool = False


@dataclass(frozen=True)
class Cursor:
    """Position of a page: time and id of the last prediction of the page before."""

    created_at: datetime
    prediction_id: str


@dataclass(frozen=True)
class LoggedPrediction:
    """A stored prediction with its image.

    Attributes:
        prediction_id, created_at: id and time.
        experiment, version: model.
        task, label, confidence: its answer. The confidence is 0 to 1.
        true_label: label that a person gave, None without one.
        disagrees: whether versions of the task predict different labels.
        warnings: warnings about the image, empty for a usual one.
        image_digest: digest of the image.
        pixels: 784 bytes of the 28x28 model input, 0 to 255, ink high. None if they are not kept.
        classes: labels of the task, in the order of the output.

    """

    prediction_id: str
    created_at: datetime
    experiment: str
    version: int
    task: str
    label: str
    confidence: float
    true_label: str | None
    disagrees: bool
    warnings: tuple[str, ...]
    image_digest: str
    pixels: bytes | None
    classes: tuple[str, ...]

    @property
    def is_wrong(self) -> bool:
        """Whether a person gave it another label."""
        return self.true_label is not None and self.true_label != self.label


@dataclass(frozen=True)
class HistoryPage:
    """A page of predictions, newest first, and the position of the next one, None at the end."""

    predictions: tuple[LoggedPrediction, ...]
    next: Cursor | None


@dataclass(frozen=True)
class ModelAnswer:
    """Answer of one version to an image."""

    experiment: str
    version: int
    label: str
    confidence: float


@dataclass(frozen=True)
class LiveAccuracy:
    """Accuracy on labeled images.

    Attributes:
        versions: experiment_name, version, task, images, correct, test_accuracy.
        classes: experiment_name, version, task, true_label, images, correct.

    """

    versions: pd.DataFrame
    classes: pd.DataFrame


@dataclass(frozen=True)
class Choices:
    """Options of the filters: versions and classes by task, and recent source programs."""

    classes: Mapping[str, tuple[str, ...]]
    versions: Mapping[str, tuple[tuple[str, int], ...]]
    sources: tuple[str, ...]
