"""Bets: values by hand, and the mean of 1 for images like the reference."""

import numpy as np
import pytest

from monitoring.detector.bets import PLACE_BETS, TAIL_BETS, class_bets, place_bets, tail_bets

# Places with their weights, dense at both ends: the logistic function of an even grid.
LOGITS = np.linspace(-20, 20, 400_001)
PLACES = 1 / (1 + np.exp(-LOGITS))
WEIGHTS = PLACES * (1 - PLACES) * (LOGITS[1] - LOGITS[0])
END = float(PLACES[0])


def integral(bets: np.ndarray) -> np.ndarray:
    """Return the integral of each bet from END to 1 - END."""
    found: np.ndarray = np.einsum("n,nb->b", WEIGHTS, bets)
    return found


def test_place_bets_have_mean_1() -> None:
    # The steep powers hold END ** power between 0 and the first place.
    missing = [END**power for power in (0.1, 0.1, 0.3, 0.3, 0.6, 0.6)]
    means = integral(place_bets(PLACES[:, None])[:, 0])
    assert means == pytest.approx([1 - part for part in missing] + [1] * 6, abs=1e-5)


def test_tail_bets_have_mean_1() -> None:
    missing = [
        share * END**power for share in (0.05, 0.2) for power in (0.05, 0.2) for _ in range(2)
    ]
    means = integral(tail_bets(PLACES[:, None])[:, 0])
    assert means == pytest.approx([1 - part for part in missing], abs=1e-5)


def test_place_bets_at_the_middle() -> None:
    [[bets]] = place_bets(np.array([[0.5]]))
    powers = [power * 0.5 ** (power - 1) for power in (0.1, 0.1, 0.3, 0.3, 0.6, 0.6)]
    assert bets == pytest.approx([*powers, 1, 1, 1, 1, 0.1, 1.45])


def test_place_bets_at_a_quarter() -> None:
    [[bets]] = place_bets(np.array([[0.25]]))
    assert bets[6:] == pytest.approx([0.75, 1.25, 0.525, 1.475, 0.775, 1.1125])


def test_tail_bets_at_a_quarter() -> None:
    [[bets]] = tail_bets(np.array([[0.25]]))
    assert bets[0] == pytest.approx(0.95 + 0.05 * 0.05 * 0.25**-0.95)
    assert bets[7] == pytest.approx(0.8 + 0.2 * 0.2 * 0.75**-0.8)


def test_bets_are_positive_and_finite_at_the_ends() -> None:
    ends = np.array([[1e-9, 1 - 1e-9]])
    for bets, count in ((place_bets(ends), PLACE_BETS), (tail_bets(ends), TAIL_BETS)):
        assert bets.shape == (1, 2, count)
        assert (bets > 0).all()
        assert np.isfinite(bets).all()


@pytest.mark.parametrize(
    "shares", [[0.1] * 10, [0.5, 0.5], [0.7, 0.2, 0.1], [0.97, 0.03], [0.001, 0.999]]
)
def test_class_bets_have_mean_1(shares: list[float]) -> None:
    usual = np.array(shares)
    bets = class_bets(np.arange(len(shares)), usual)  # one image of each class
    assert np.einsum("n,nkb->kb", usual, bets) == pytest.approx(np.ones((len(shares), 4)))
    assert (bets > 0).all()


def test_class_bets_of_ten_equal_classes() -> None:
    [bets] = class_bets(np.array([3]), np.full(10, 0.1))
    assert bets[3] == pytest.approx([1.6, 2.5, 5, 0.1])
    assert bets[0] == pytest.approx([0.84 / 0.9, 0.75 / 0.9, 0.5 / 0.9, 0.99 / 0.9])


def test_class_bets_of_two_equal_classes_all_bet() -> None:
    [[bets, _]] = class_bets(np.array([0]), np.array([0.5, 0.5]))
    assert bets == pytest.approx([1.6, 1.8, 1.6, 0.1])
