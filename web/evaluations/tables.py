"""Tables of the Evaluate page: per-class metrics, calibration bins and model comparison."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, astuple

import pandas as pd

from evaluation.errors import ConfusedPair
from evaluation.metrics import ClassReport, Interval, Predictions, Report
from evaluation.paired_tests import Agreement
from web.data.image_warnings import NO_DIGIT
from web.evaluations.labeled_set import LabeledSet
from web.formatting import format_percent, pluralize


def class_table(report: Report) -> pd.DataFrame:
    """Return one row per class.

    Columns: label, images, recall (percent), interval (text), precision (percent), f1.
    """
    return pd.DataFrame(
        [_class_row(one) for one in report.per_class],
        columns=["label", "images", "recall", "interval", "precision", "f1"],
    )


def _class_row(one: ClassReport) -> tuple[str, int, float, str, float, float]:
    interval = "" if one.interval is None else format_interval(one.interval)
    return one.label, one.images, one.recall * 100, interval, one.precision * 100, one.f1


def format_interval(interval: Interval) -> str:
    """Format an interval in percent: 97.1 % to 98.5 %."""
    return f"{format_percent(interval.low, 1)} to {format_percent(interval.high, 1)}"


def uncounted_images(report: Report, predictions: Predictions) -> list[str]:
    """Return the numbers of images that no metric counts, by reason: 2 images without a digit."""
    warnings = predictions.warnings.values()
    unreadable = report.unanswered - len(warnings)
    blank = sum(NO_DIGIT in own for own in warnings)
    several = len(warnings) - blank
    texts = {
        pluralize(unreadable, "unreadable image"): unreadable,
        f"{pluralize(blank, 'image')} without a digit": blank,
        f"{pluralize(several, 'image')} with several digits": several,
    }
    return [text for text, count in texts.items() if count]


def pair_table(pairs: Sequence[ConfusedPair]) -> pd.DataFrame:
    """Return one row per pair: true, predicted, images, share of all errors (percent)."""
    total = sum(pair.images for pair in pairs)
    return pd.DataFrame(
        [(*astuple(pair), 100 * pair.images / total) for pair in pairs],
        columns=["true", "predicted", "images", "share"],
    )


def calibration_table(report: Report) -> pd.DataFrame:
    """Return one row per calibration bin: low, high, images, confidence, accuracy (0 to 1)."""
    return pd.DataFrame([asdict(one) for one in report.bins])


def model_table(
    names: Sequence[str], reports: Sequence[Report], agreement: Agreement
) -> pd.DataFrame:
    """Return one row for each of two models, with titles as columns. Accuracy is in percent."""
    return pd.DataFrame(
        {
            "Model": list(names),
            "Accuracy": [report.accuracy * 100 for report in reports],
            "Macro F1": [report.macro_f1 for report in reports],
            "Calibration error": [report.calibration_error for report in reports],
            "Correct only here": [agreement.only_first, agreement.only_second],
        }
    )


def stored_table(by_class: Mapping[str, Mapping[str, int]]) -> pd.DataFrame:
    """Return one row per label of a stored evaluation: label, images, accuracy (percent)."""
    return pd.DataFrame(
        [
            (label, counts["images"], counts["correct"] / max(1, counts["images"]) * 100)
            for label, counts in sorted(by_class.items())
        ],
        columns=["label", "images", "accuracy"],
    )


def skipped_table(labeled_set: LabeledSet) -> pd.DataFrame:
    """Return one row per skipped file: File, Reason."""
    rows = [(skipped.file, skipped.reason) for skipped in labeled_set.skipped]
    return pd.DataFrame(rows, columns=["File", "Reason"])
