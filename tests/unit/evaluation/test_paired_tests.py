"""Paired tests of two models, against values computed by hand."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from evaluation.metrics import Predictions
from evaluation.paired_tests import (
    compare,
    gain_lower_bound,
    holm,
    mcnemar_p_better,
    mcnemar_p_value,
)

COUNTS = st.integers(0, 400)


def predictions(*rows: tuple[float, float]) -> Predictions:
    return Predictions(("a", "b"), np.array(rows, dtype=np.float32))


@pytest.mark.parametrize(
    ("first", "second", "p_value"),
    # Binomial tails of one half by hand: 2 * (1 + 5) / 2**5, 2 * (1 + 10 + 45) / 2**10.
    [(1, 4, 0.375), (2, 8, 0.109375), (8, 2, 0.109375), (3, 3, 1.0), (0, 0, 1.0), (0, 6, 0.03125)],
)
def test_mcnemar_p_value_is_exact(first: int, second: int, p_value: float) -> None:
    assert mcnemar_p_value(first, second) == pytest.approx(p_value)


def test_mcnemar_p_value_of_large_counts() -> None:
    assert 0 < mcnemar_p_value(4800, 5200) < 1e-4
    assert mcnemar_p_value(0, 5000) == 0.0  # below the smallest float


def test_compare_counts_only_images_that_both_answered() -> None:
    first = predictions((1, 0), (1, 0), (1, 0), (0, 1), (math.nan, math.nan))
    second = predictions((1, 0), (0, 1), (1, 0), (0, 1), (1, 0))
    found = compare("aabaa", first, second)
    assert (found.both, found.only_first, found.only_second, found.neither) == (1, 1, 0, 2)
    assert (found.same_label, found.images) == (3, 4)


@given(COUNTS, COUNTS)
def test_mcnemar_p_better_equals_scipy(only_first: int, only_second: int) -> None:
    trials = only_first + only_second
    expected = (
        stats.binomtest(only_second, trials, 0.5, alternative="greater").pvalue if trials else 1.0
    )
    assert mcnemar_p_better(only_first, only_second) == pytest.approx(expected, rel=1e-12, abs=0)


@given(COUNTS, COUNTS)
def test_mcnemar_p_value_equals_scipy(only_first: int, only_second: int) -> None:
    trials = only_first + only_second
    expected = stats.binomtest(only_first, trials, 0.5).pvalue if trials else 1.0
    assert mcnemar_p_value(only_first, only_second) == pytest.approx(expected, rel=1e-12, abs=0)


@pytest.mark.parametrize(("first", "second"), [(4800, 5200), (5200, 4800), (30_000, 30_500)])
def test_mcnemar_p_better_of_large_counts(first: int, second: int) -> None:
    expected = stats.binom.sf(second - 1, first + second, 0.5)
    assert mcnemar_p_better(first, second) == pytest.approx(expected, rel=1e-9)


@given(COUNTS, COUNTS)
def test_mcnemar_p_better_falls_with_each_win(only_first: int, only_second: int) -> None:
    p_value = mcnemar_p_better(only_first, only_second)
    assert mcnemar_p_better(only_first, only_second + 1) <= p_value
    assert mcnemar_p_better(only_first + 1, only_second) >= p_value


def test_gain_lower_bound_by_hand() -> None:
    """16 / 10,002 minus 1.6449 times the root of 53 - 256 / 10,002, divided by 10,002."""
    assert gain_lower_bound(18, 34, 10_000) == pytest.approx(0.00040273711, abs=1e-10)
    assert gain_lower_bound(0, 0, 0) == -1.0
    assert gain_lower_bound(1, 0, 1) == -1.0


@pytest.mark.parametrize(
    ("discordant", "passes"), [(0.005, 0.99), (0.01, 0.91), (0.02, 0.68)], ids=str
)
def test_gain_lower_bound_of_equal_models(discordant: float, passes: float) -> None:
    """The exact probability that an equal model is not worse by 0.3 points of 10,000 images."""
    assert _pass_probability(discordant, 0.0) == pytest.approx(passes, abs=0.005)


@pytest.mark.parametrize("discordant", [0.005, 0.01, 0.02])
def test_gain_lower_bound_of_a_worse_model(discordant: float) -> None:
    """A model that is worse by the margin passes with a probability of some 5 %."""
    assert 0.04 < _pass_probability(discordant, -0.003) < 0.06


def _pass_probability(discordant: float, gain: float, images: int = 10_000) -> float:
    """Return the probability of a bound above -0.3 points, summed over all outcomes."""
    counts = np.arange(*stats.binom.interval(1 - 1e-10, images, discordant)).astype(int)
    share = (discordant + gain) / 2 / discordant
    passing = [
        next(
            won
            for won in range(count + 2)
            if won > count or gain_lower_bound(count - won, won, images) > -0.003
        )
        for count in counts
    ]
    tails = stats.binom.sf(np.array(passing) - 1, counts, share)
    return float((stats.binom.pmf(counts, images, discordant) * tails).sum())


def test_holm_by_hand() -> None:
    assert holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])
    assert holm([]) == []
    assert holm([0.7, 0.9]) == [1.0, 1.0]


@given(st.lists(st.floats(0, 1), max_size=12))
def test_holm_keeps_the_order_and_never_helps(p_values: list[float]) -> None:
    adjusted = holm(p_values)
    assert all(after >= before for before, after in zip(p_values, adjusted, strict=True))
    order = sorted(range(len(p_values)), key=p_values.__getitem__)
    assert [adjusted[index] for index in order] == sorted(adjusted)
