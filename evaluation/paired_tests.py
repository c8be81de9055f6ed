"""Paired tests: McNemar's exact tests of two models, a bound of the gain, and Holm's correction."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from evaluation.metrics import Predictions

# The 95 % quantile of the standard normal distribution, for one-sided bounds of 95 %.
Z_ONE_SIDED = 1.6448536269514722


@dataclass(frozen=True)
class Agreement:
    """Comparison of two models on the images that both answered.

    Attributes:
        both, only_first, only_second, neither: number of images by the models that are correct.
        same_label: number of images with the same predicted label.
        p_value: two-sided p-value of McNemar's exact test, 0 to 1: the probability that two equally
            good models differ at least this much.

    """

    both: int
    only_first: int
    only_second: int
    neither: int
    same_label: int
    p_value: float

    @property
    def images(self) -> int:
        """Number of images that both models answered."""
        return self.both + self.only_first + self.only_second + self.neither


def compare(true_labels: Sequence[str], first: Predictions, second: Predictions) -> Agreement:
    """Compare two models of the same classes on images with these true labels."""
    pairs = [
        (a == true, b == true, a == b)
        for true, a, b in zip(true_labels, first.labels, second.labels, strict=True)
        if a is not None and b is not None
    ]
    both = sum(first_correct and second_correct for first_correct, second_correct, _ in pairs)
    only_first = sum(a and not b for a, b, _ in pairs)
    only_second = sum(b and not a for a, b, _ in pairs)
    return Agreement(
        both=both,
        only_first=only_first,
        only_second=only_second,
        neither=len(pairs) - both - only_first - only_second,
        same_label=sum(is_same for _, _, is_same in pairs),
        p_value=mcnemar_p_value(only_first, only_second),
    )


def mcnemar_p_value(only_first: int, only_second: int) -> float:
    """Return the two-sided p-value of McNemar's exact test, 1 without a difference.

    Twice the lower tail of a binomial distribution with p = 1/2, capped at 1.

    Args:
        only_first: number of images that only the first model predicts correctly.
        only_second: number of images that only the second model predicts correctly.

    """
    trials = only_first + only_second
    tail = _ways(trials, min(only_first, only_second))
    return float(min(Fraction(1), Fraction(2 * tail, 2**trials)))


def mcnemar_p_better(only_first: int, only_second: int) -> float:
    """Return the one-sided p-value of McNemar's exact test, 1 without a difference.

    The probability that the second model alone predicts at least `only_second` of the images
    correctly on which exactly one model is correct, if it is not better than the first model.

    Args:
        only_first: number of images that only the first model predicts correctly.
        only_second: number of images that only the second model predicts correctly.

    """
    trials = only_first + only_second
    # By symmetry, the upper tail from `only_second` is the lower tail up to `only_first`.
    return float(Fraction(_ways(trials, only_first), 2**trials))


def gain_lower_bound(only_first: int, only_second: int, images: int) -> float:
    """Return the one-sided lower 95 % bound of the second accuracy minus the first, -1 to 1.

    The adjusted Wald bound of paired shares: half an image is added to each of the four cells
    (Agresti and Min, Simple improved confidence intervals for comparing matched proportions,
    Statistics in Medicine 24, 2005). Without an image, the bound is -1.

    Args:
        only_first: number of images that only the first model predicts correctly.
        only_second: number of images that only the second model predicts correctly.
        images: number of all images.

    """
    if images == 0:
        return -1.0
    total, difference, discordant = images + 2, only_second - only_first, only_first + only_second
    error = math.sqrt(discordant + 1 - difference * difference / total) / total
    return max(-1.0, difference / total - Z_ONE_SIDED * error)


def holm(p_values: Sequence[float]) -> list[float]:
    """Return the adjusted p-values of a family of tests, in the same order (Holm, 1979).

    Rejecting those of at most alpha rejects a true hypothesis with a probability of at most alpha.
    """
    adjusted = [0.0] * len(p_values)
    largest = 0.0
    for rank, index in enumerate(sorted(range(len(p_values)), key=p_values.__getitem__)):
        largest = max(largest, min(1.0, (len(p_values) - rank) * p_values[index]))
        adjusted[index] = largest
    return adjusted


def _ways(trials: int, successes: int) -> int:
    """Return the number of outcomes of coin tosses with at most this many heads."""
    if 2 * successes > trials:  # the smaller sum is faster
        return int(2**trials) - _ways(trials, trials - successes - 1)
    term, ways = 1, 0
    for heads in range(successes + 1):
        ways += term
        term = term * (trials - heads) // (heads + 1)
    return ways
