"""Metrics of one model, against values computed by hand or published."""

import math

import numpy as np
import pytest

from evaluation.metrics import (
    Predictions,
    calibration_bins,
    calibration_error,
    evaluate,
    wilson_interval,
)


def predictions(*rows: tuple[float, ...], classes: str = "ab") -> Predictions:
    probabilities = np.array(rows, dtype=np.float32).reshape(-1, len(classes))
    return Predictions(tuple(classes), probabilities)


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    # Newcombe, Statistics in Medicine 17 (1998), table I, method 3.
    [
        (81, 263, 0.2553, 0.3662),
        (15, 148, 0.0624, 0.1605),
        (0, 20, 0.0, 0.1611),
        (1, 29, 0.0061, 0.1718),
    ],
)
def test_wilson_interval_matches_published_values(
    successes: int, trials: int, low: float, high: float
) -> None:
    interval = wilson_interval(successes, trials)
    assert [interval.low, interval.high] == pytest.approx([low, high], abs=5e-5)


def test_wilson_interval_without_trials_is_everything() -> None:
    assert (wilson_interval(0, 0).low, wilson_interval(0, 0).high) == (0.0, 1.0)


def test_report_counts_correct_predictions_by_label() -> None:
    report = evaluate("aaab", predictions((0.9, 0.1), (0.8, 0.2), (0.3, 0.7), (0.1, 0.9)))
    assert (report.images, report.correct, report.accuracy) == (4, 3, 0.75)
    assert report.confusion.tolist() == [[2, 1], [0, 1]]
    a, b = report.per_class
    assert [a.recall, b.precision] == pytest.approx([2 / 3, 0.5])
    assert report.macro_f1 == pytest.approx((4 / 5 + 2 / 3) / 2)


def test_macro_f1_skips_a_label_without_images_or_predictions() -> None:
    report = evaluate("ab", predictions((1, 0, 0), (0, 1, 0), classes="abc"))
    assert (report.macro_f1, [math.isnan(one.recall) for one in report.per_class]) == (
        1.0,
        [False, False, True],
    )
    assert report.per_class[2].interval is None


def test_unanswered_image_is_counted_separately() -> None:
    report = evaluate("aab", predictions((1, 0), (math.nan, math.nan), (1, 0)))
    assert (report.images, report.unanswered, report.correct) == (2, 1, 1)


def test_report_without_answers_has_no_accuracy() -> None:
    report = evaluate("a", predictions((math.nan, math.nan)))
    undefined = [report.accuracy, report.calibration_error, report.macro_f1]
    assert (report.images, [math.isnan(value) for value in undefined]) == (0, [True] * 3)


def test_calibration_error_is_weighted_by_images() -> None:
    # Bin (0.6, 0.667]: 2 images of confidence 0.65, one correct.
    # Bin (0.933, 1]: 2 images of confidence 1.0, both correct.
    bins = calibration_bins(np.array([0.65, 0.65, 1.0, 1.0]), np.array([True, False, True, True]))
    assert (len(bins), bins[9].images, bins[14].images) == (15, 2, 2)
    assert calibration_error(bins) == pytest.approx(0.5 * 0.15)


def test_calibration_bin_includes_its_upper_bound() -> None:
    """The first bin includes 0, too."""
    bins = calibration_bins(np.array([0.0, 1 / 15, 0.2]), np.array([True, True, True]))
    assert [one.images for one in bins[:4]] == [2, 0, 1, 0]
