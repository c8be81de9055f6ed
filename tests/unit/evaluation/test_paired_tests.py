"""Paired tests of two models, against values computed by hand."""

import math

import numpy as np
import pytest

from evaluation.metrics import Predictions
from evaluation.paired_tests import compare, mcnemar_p_value


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
