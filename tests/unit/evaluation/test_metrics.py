"""How good a model is: against values computed by hand or published."""

import math

import numpy as np
import pytest

from evaluation.metrics import (
    Predictions,
    calibration_bins,
    calibration_error,
    compare,
    evaluate,
    hardest,
    in_cell,
    mcnemar,
    wilson,
)


def verdict(*shares: tuple[float, ...], classes: str = "ab") -> Predictions:
    return Predictions(tuple(classes), np.array(shares, dtype=np.float32).reshape(-1, len(classes)))


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
def test_the_interval_is_wilson_s(successes: int, trials: int, low: float, high: float) -> None:
    found = wilson(successes, trials)
    assert [found.low, found.high] == pytest.approx([low, high], abs=5e-5)


def test_no_trial_tells_nothing() -> None:
    assert (wilson(0, 0).low, wilson(0, 0).high) == (0.0, 1.0)


@pytest.mark.parametrize(
    ("first", "second", "p_value"),
    # Binomial tails of one half by hand: 2 * (1 + 5) / 2**5; 2 * (1 + 10 + 45) / 2**10; capped at
    # 1; nothing differs.
    [(1, 4, 0.375), (2, 8, 0.109375), (8, 2, 0.109375), (3, 3, 1.0), (0, 0, 1.0), (0, 6, 0.03125)],
)
def test_mcnemar_is_exact(first: int, second: int, p_value: float) -> None:
    assert mcnemar(first, second) == pytest.approx(p_value)


def test_mcnemar_stands_large_numbers() -> None:
    assert 0 < mcnemar(4800, 5200) < 1e-4
    assert mcnemar(0, 5000) == 0.0  # below what a float can be


def test_a_report_counts_what_is_right_by_label() -> None:
    report = evaluate("aaab", verdict((0.9, 0.1), (0.8, 0.2), (0.3, 0.7), (0.1, 0.9)))
    assert (report.images, report.correct, report.accuracy) == (4, 3, 0.75)
    assert report.confusion.to_numpy().tolist() == [[2, 1], [0, 1]]
    per_class = report.per_class.set_index("label")
    assert [per_class.loc["a", "recall"], per_class.loc["b", "precision"]] == pytest.approx(
        [2 / 3, 0.5]
    )
    assert report.macro_f1 == pytest.approx((4 / 5 + 2 / 3) / 2)


def test_a_label_that_is_nowhere_does_not_count_for_macro_f1() -> None:
    report = evaluate("ab", verdict((1, 0, 0), (0, 1, 0), classes="abc"))
    assert (report.macro_f1, report.per_class["recall"].isna().tolist()) == (
        1.0,
        [False, False, True],
    )


def test_an_image_without_an_answer_is_counted_apart() -> None:
    report = evaluate("aab", verdict((1, 0), (math.nan, math.nan), (1, 0)))
    assert (report.images, report.without, report.correct) == (2, 1, 1)


def test_a_set_that_nobody_answered_has_no_accuracy() -> None:
    report = evaluate("a", verdict((math.nan, math.nan)))
    assert (report.images, math.isnan(report.accuracy), math.isnan(report.calibration_error)) == (
        0,
        True,
        True,
    )


def test_calibration_error_is_the_mean_distance_weighed_by_images() -> None:
    # Bin (0.6, 0.667]: 2 images of confidence 0.65, one right; bin (0.933, 1]: 2 of 1.0, both
    # right.
    bins = calibration_bins(np.array([0.65, 0.65, 1.0, 1.0]), np.array([True, False, True, True]))
    assert (len(bins), bins["images"].tolist()[9], bins["images"].tolist()[14]) == (15, 2, 2)
    assert calibration_error(bins) == pytest.approx(0.5 * 0.15)


def test_an_edge_belongs_to_the_bin_below_it_and_zero_to_the_first() -> None:
    bins = calibration_bins(np.array([0.0, 1 / 15, 0.2]), np.array([True, True, True]))
    assert bins["images"].tolist()[:4] == [2, 0, 1, 0]


def test_two_models_are_compared_on_what_both_answered() -> None:
    first = verdict((1, 0), (1, 0), (1, 0), (0, 1), (math.nan, math.nan))
    second = verdict((1, 0), (0, 1), (1, 0), (0, 1), (1, 0))
    found = compare("aabaa", first, second)
    assert (
        found.both,
        found.only_first,
        found.only_second,
        found.neither,
        found.same,
        found.images,
    ) == (1, 1, 0, 2, 3, 4)


def test_the_hardest_gets_the_least_probability_for_the_truth() -> None:
    assert hardest("aab", verdict((0.6, 0.4), (0.1, 0.9), (0.5, 0.5))) == [1, 2, 0]


def test_a_cell_holds_its_images_the_most_confident_first() -> None:
    assert in_cell("aab", verdict((0.3, 0.7), (0.1, 0.9), (0.2, 0.8)), "a", "b") == [1, 0]
