"""Classification metrics: accuracy, Wilson interval, calibration, confusion matrix and macro F1."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

# The 97.5 % quantile of the standard normal distribution, for intervals of 95 %.
Z = 1.959963984540054
CALIBRATION_BINS = 15

Probabilities = npt.NDArray[np.float32]
Counts = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Predictions:
    """Predictions of one model for N images.

    Attributes:
        classes: the C class labels.
        probabilities: N x C float32, 0 to 1. A row of NaN marks an image without an answer.
        warnings: warnings by image index. Such an image has no answer: it does not show its label,
            or not only.

    """

    classes: tuple[str, ...]
    probabilities: Probabilities
    warnings: Mapping[int, tuple[str, ...]] = field(default_factory=dict)

    @property
    def is_answered(self) -> npt.NDArray[np.bool_]:
        """N booleans: whether the image has an answer."""
        return np.asarray(~np.isnan(self.probabilities).any(axis=1))

    @property
    def labels(self) -> list[str | None]:
        """N predicted labels, None without an answer. The first class wins a tie."""
        best = np.where(self.is_answered, np.nan_to_num(self.probabilities).argmax(axis=1), -1)
        return [None if index < 0 else self.classes[index] for index in best]


@dataclass(frozen=True)
class Interval:
    """Confidence interval, both bounds from 0 to 1."""

    low: float
    high: float


@dataclass(frozen=True)
class ClassReport:
    """Metrics of one class. NaN marks a ratio that is undefined.

    Attributes:
        label: the class label.
        images: number of images with this true label.
        recall: share of these images that are predicted correctly, 0 to 1.
        interval: 95 % Wilson interval of the recall, None without an image.
        precision: share of correct images among those predicted as this label, 0 to 1.
        f1: harmonic mean of precision and recall.

    """

    label: str
    images: int
    recall: float
    interval: Interval | None
    precision: float
    f1: float


@dataclass(frozen=True)
class CalibrationBin:
    """Images whose confidence is above low and at most high.

    Confidence and accuracy are means over the images of the bin, NaN for an empty bin.
    """

    low: float
    high: float
    images: int
    confidence: float
    accuracy: float


@dataclass(frozen=True)
class Report:
    """Metrics of one model on labeled images.

    Attributes:
        images: number of images with an answer.
        unanswered: number of images without an answer; no metric counts them.
        correct: number of correct predictions.
        accuracy: correct / images, NaN without an image.
        interval: 95 % interval of the accuracy (Wilson, 1927).
        macro_f1: mean F1 of all classes that are a true or a predicted label.
        calibration_error: expected calibration error over 15 equal bins (Guo et al., 2017), 0 to 1.
        bins: the 15 calibration bins.
        per_class: one report per class, in the order of the classes.
        confusion: C x C int64, images by true class (rows) and predicted class (columns).

    """

    images: int
    unanswered: int
    correct: int
    accuracy: float
    interval: Interval
    macro_f1: float
    calibration_error: float
    bins: tuple[CalibrationBin, ...]
    per_class: tuple[ClassReport, ...]
    confusion: Counts


def evaluate(true_labels: Sequence[str], predictions: Predictions) -> Report:
    """Return the metrics of a model.

    Args:
        true_labels: N labels, all among the classes of the predictions.
        predictions: the predictions for the same N images.

    """
    answered = predictions.is_answered
    predicted = [label for label in predictions.labels if label is not None]
    true = [label for label, is_answered in zip(true_labels, answered, strict=True) if is_answered]
    confusion = confusion_matrix(true, predicted, predictions.classes)
    correct = int(np.trace(confusion))
    per_class = class_reports(confusion, predictions.classes)
    defined_f1 = [report.f1 for report in per_class if not math.isnan(report.f1)]
    is_correct = np.array([a == b for a, b in zip(true, predicted, strict=True)], dtype=bool)
    confidences = predictions.probabilities[answered].max(axis=1, initial=0.0)
    bins = calibration_bins(confidences, is_correct)
    return Report(
        images=len(true),
        unanswered=len(true_labels) - len(true),
        correct=correct,
        accuracy=correct / len(true) if true else math.nan,
        interval=wilson_interval(correct, len(true)),
        macro_f1=sum(defined_f1) / len(defined_f1) if defined_f1 else math.nan,
        calibration_error=calibration_error(bins),
        bins=bins,
        per_class=per_class,
        confusion=confusion,
    )


def wilson_interval(successes: int, trials: int) -> Interval:
    """Return the 95 % score interval of a share (Wilson, 1927); 0 to 1 without a trial."""
    if trials == 0:
        return Interval(0.0, 1.0)
    share, squared = successes / trials, Z * Z
    center = (share + squared / (2 * trials)) / (1 + squared / trials)
    half_width = (
        Z
        / (1 + squared / trials)
        * math.sqrt(share * (1 - share) / trials + squared / (4 * trials * trials))
    )
    return Interval(max(0.0, center - half_width), min(1.0, center + half_width))


def confusion_matrix(
    true: Sequence[str], predicted: Sequence[str], classes: Sequence[str]
) -> Counts:
    """Return C x C counts of images by true label (rows) and predicted label (columns)."""
    index_of = {label: index for index, label in enumerate(classes)}
    counts = np.zeros((len(classes), len(classes)), dtype=np.int64)
    rows, columns = ([index_of[label] for label in labels] for labels in (true, predicted))
    np.add.at(counts, (rows, columns), 1)
    return counts


def class_reports(confusion: Counts, classes: Sequence[str]) -> tuple[ClassReport, ...]:
    """Return the metrics of each class from its confusion matrix."""
    reports = []
    for index, label in enumerate(classes):
        hits = int(confusion[index, index])
        images, predicted = int(confusion[index].sum()), int(confusion[:, index].sum())
        reports.append(
            ClassReport(
                label=label,
                images=images,
                recall=hits / images if images else math.nan,
                interval=wilson_interval(hits, images) if images else None,
                precision=hits / predicted if predicted else math.nan,
                f1=2 * hits / (images + predicted) if images + predicted else math.nan,
            )
        )
    return tuple(reports)


def calibration_bins(
    confidences: npt.NDArray[np.floating], is_correct: npt.NDArray[np.bool_]
) -> tuple[CalibrationBin, ...]:
    """Return the 15 equal bins of confidence from 0 to 1.

    A bin includes its upper bound; the first one also includes 0.
    """
    numbers = np.ceil(np.asarray(confidences, dtype=np.float64) * CALIBRATION_BINS).astype(int) - 1
    numbers = np.clip(numbers, 0, CALIBRATION_BINS - 1)
    images = np.bincount(numbers, minlength=CALIBRATION_BINS)
    divisor = np.where(images > 0, images, np.nan)
    confidence = np.bincount(numbers, weights=confidences, minlength=CALIBRATION_BINS) / divisor
    accuracy = np.bincount(numbers, weights=is_correct, minlength=CALIBRATION_BINS) / divisor
    return tuple(
        CalibrationBin(
            low=index / CALIBRATION_BINS,
            high=(index + 1) / CALIBRATION_BINS,
            images=int(images[index]),
            confidence=float(confidence[index]),
            accuracy=float(accuracy[index]),
        )
        for index in range(CALIBRATION_BINS)
    )


def calibration_error(bins: Sequence[CalibrationBin]) -> float:
    """Return the mean distance of confidence and accuracy, weighted by images; NaN without any."""
    total = sum(one.images for one in bins)
    if not total:
        return math.nan
    return (
        sum(abs(one.confidence - one.accuracy) * one.images for one in bins if one.images) / total
    )
