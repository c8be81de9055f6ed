"""How good a model is on a set of labelled images, and how two models differ. Pure.

A Predictions is what a model said of each image of a set; everything else is computed from it and the
true labels.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

import numpy as np
import numpy.typing as npt
import pandas as pd

# The 97.5 % quantile of the standard normal distribution, for intervals of 95 %.
Z = 1.959963984540054
BINS = 15

Shares = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Predictions:
    """What one model said of N images.

    Attributes:
        classes: its C labels.
        shares: N x C float32, the probability (0..1) of each label; a row of NaN for an image that
        it did not answer.

    """

    classes: tuple[str, ...]
    shares: Shares

    @property
    def answered(self) -> npt.NDArray[np.bool_]:
        """Which of the N images it answered."""
        return np.asarray(~np.isnan(self.shares).any(axis=1))

    @property
    def labels(self) -> list[str | None]:
        """The most probable label of each image, the first of equal ones.

        None where there is no answer.
        """
        best = np.where(self.answered, np.nan_to_num(self.shares).argmax(axis=1), -1)
        return [None if index < 0 else self.classes[index] for index in best]


@dataclass(frozen=True)
class Interval:
    """From low to high, both 0..1."""

    low: float
    high: float


@dataclass(frozen=True)
class Report:
    """How good a model is.

    Attributes:
        images: how many it answered; without: how many it did not.
        correct: how many it read rightly.
        accuracy: correct / images, with its 95 % interval (Wilson, 1927).
        macro_f1: the mean over the labels of the harmonic mean of precision and recall; a label
        that is neither true nor
            given anywhere does not count.
        calibration_error: expected calibration error over 15 equal bins (Guo et al., 2017), 0..1.
        bins: low, high, images, confidence (mean), accuracy of each bin; the last two NaN where it
        is empty.
        per_class: label, images, recall, low, high (its 95 % interval), precision, f1; NaN where
        undefined.
        confusion: images by true label (rows) and given label (columns), in the order of the
        labels.

    """

    images: int
    without: int
    correct: int
    accuracy: float
    interval: Interval
    macro_f1: float
    calibration_error: float
    bins: pd.DataFrame
    per_class: pd.DataFrame
    confusion: pd.DataFrame


@dataclass(frozen=True)
class Agreement:
    """How two models differ on the images that both answered.

    Attributes:
        both, only_first, only_second, neither: how many images which of them read rightly.
        same: how many they gave the same label.
        p_value: McNemar's exact test, two-sided: how likely two equally good models are to differ
        so much or more.

    """

    both: int
    only_first: int
    only_second: int
    neither: int
    same: int
    p_value: float

    @property
    def images(self) -> int:
        """How many both answered."""
        return self.both + self.only_first + self.only_second + self.neither


def wilson(successes: int, trials: int) -> Interval:
    """Return the 95 % score interval of a share (Wilson, 1927), 0 to 1 for no trials."""
    if trials == 0:
        return Interval(0.0, 1.0)
    share, squared = successes / trials, Z * Z
    middle = (share + squared / (2 * trials)) / (1 + squared / trials)
    half = (
        Z
        / (1 + squared / trials)
        * math.sqrt(share * (1 - share) / trials + squared / (4 * trials * trials))
    )
    return Interval(max(0.0, middle - half), min(1.0, middle + half))


def evaluate(truth: Sequence[str], verdict: Predictions) -> Report:
    """Return how good a model is on images with these true labels, of which all are among its
    classes.
    """
    answered = verdict.answered
    given = [label for label in verdict.labels if label is not None]
    true = [label for label, has_answer in zip(truth, answered, strict=True) if has_answer]
    confusion = confusion_matrix(true, given, verdict.classes)
    counts = confusion.to_numpy()
    correct = int(np.trace(counts))
    per_class = _per_class(confusion)
    right = np.array([one == other for one, other in zip(true, given, strict=True)], dtype=bool)
    bins = calibration_bins(verdict.shares[answered].max(axis=1, initial=0.0), right)
    return Report(
        images=len(true),
        without=len(truth) - len(true),
        correct=correct,
        accuracy=correct / len(true) if true else math.nan,
        interval=wilson(correct, len(true)),
        macro_f1=float(per_class["f1"].mean()),
        calibration_error=calibration_error(bins),
        bins=bins,
        per_class=per_class,
        confusion=confusion,
    )


def confusion_matrix(
    true: Sequence[str], given: Sequence[str], labels: Sequence[str]
) -> pd.DataFrame:
    """Return how many images have which true label (rows) and were given which (columns)."""
    place = {label: number for number, label in enumerate(labels)}
    counts = np.zeros((len(labels), len(labels)), dtype=np.int64)
    np.add.at(counts, ([place[label] for label in true], [place[label] for label in given]), 1)
    return pd.DataFrame(counts, index=list(labels), columns=list(labels))


def _per_class(confusion: pd.DataFrame) -> pd.DataFrame:
    rows = []
    for label in confusion.index:
        hits, true, given = (
            int(confusion.loc[label, label]),
            int(confusion.loc[label].sum()),
            int(confusion[label].sum()),
        )
        interval = wilson(hits, true)
        rows.append(
            (
                label,
                true,
                hits / true if true else math.nan,
                interval.low if true else math.nan,
                interval.high if true else math.nan,
                hits / given if given else math.nan,
                2 * hits / (true + given) if true + given else math.nan,
            )
        )
    return pd.DataFrame(
        rows, columns=["label", "images", "recall", "low", "high", "precision", "f1"]
    )


def calibration_bins(
    confidences: npt.NDArray[np.floating], right: npt.NDArray[np.bool_]
) -> pd.DataFrame:
    """Return the 15 equal bins of confidence (0..1, upper end included).

    Low, high, images, confidence, accuracy.
    """
    places = np.clip(
        np.ceil(np.asarray(confidences, dtype=np.float64) * BINS).astype(int) - 1, 0, BINS - 1
    )
    images = np.bincount(places, minlength=BINS)
    filled = np.where(images > 0, images, np.nan)
    return pd.DataFrame(
        {
            "low": np.arange(BINS) / BINS,
            "high": np.arange(1, BINS + 1) / BINS,
            "images": images,
            "confidence": np.bincount(places, weights=confidences, minlength=BINS) / filled,
            "accuracy": np.bincount(places, weights=right, minlength=BINS) / filled,
        }
    )


def calibration_error(bins: pd.DataFrame) -> float:
    """Return the mean distance of confidence and accuracy over the images of the bins, NaN without
    any.
    """
    total = int(bins["images"].sum())
    distance = (bins["confidence"] - bins["accuracy"]).abs() * bins["images"]
    return float(distance.sum()) / total if total else math.nan


def compare(truth: Sequence[str], first: Predictions, second: Predictions) -> Agreement:
    """Return how two models of the same classes differ on images with these true labels."""
    pairs = [
        (one == label, other == label, one == other)
        for label, one, other in zip(truth, first.labels, second.labels, strict=True)
        if one is not None and other is not None
    ]
    only_first = sum(one and not other for one, other, _ in pairs)
    only_second = sum(other and not one for one, other, _ in pairs)
    both = sum(one and other for one, other, _ in pairs)
    return Agreement(
        both=both,
        only_first=only_first,
        only_second=only_second,
        neither=len(pairs) - both - only_first - only_second,
        same=sum(same for _, _, same in pairs),
        p_value=mcnemar(only_first, only_second),
    )


def mcnemar(only_first: int, only_second: int) -> float:
    """Return the exact two-sided p-value.

    Twice the lower tail of a binomial of one half, at most 1; 1 without any difference.
    """
    trials = only_first + only_second
    term, tail = 1, 1
    for successes in range(min(only_first, only_second)):
        term = term * (trials - successes) // (successes + 1)
        tail += term
    return float(min(Fraction(1), Fraction(2 * tail, 2**trials)))


def hardest(truth: Sequence[str], verdict: Predictions) -> list[int]:
    """Return the places of the answered images, that of the least probability for the true label
    first.
    """
    place = {label: number for number, label in enumerate(verdict.classes)}
    of_truth = (
        verdict.shares[np.arange(len(truth)), [place[label] for label in truth]]
        if len(truth)
        else np.empty(0)
    )
    order = np.argsort(of_truth, kind="stable")
    return [int(index) for index in order if not np.isnan(of_truth[index])]


def in_cell(truth: Sequence[str], verdict: Predictions, true: str, given: str) -> list[int]:
    """Return the places of the images of one cell of the confusion matrix, the most confident
    first.
    """
    places = [
        number
        for number, (label, said) in enumerate(zip(truth, verdict.labels, strict=True))
        if label == true and said == given
    ]
    return sorted(places, key=lambda number: -float(verdict.shares[number].max()))
