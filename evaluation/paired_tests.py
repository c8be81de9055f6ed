"""Paired tests: agreement of two models on the same images, and McNemar's exact test."""

from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction

from evaluation.metrics import Predictions


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
    term, tail = 1, 1
    for successes in range(min(only_first, only_second)):
        term = term * (trials - successes) // (successes + 1)
        tail += term
    return float(min(Fraction(1), Fraction(2 * tail, 2**trials)))
