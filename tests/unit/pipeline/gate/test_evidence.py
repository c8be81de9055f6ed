"""Cells of comparisons, and settings of the gate."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from pipeline.gate.evidence import Cells, GateSettings
from tests.support.gate import cells

COUNTS = st.integers(0, 200)


@given(COUNTS, COUNTS, st.integers(0, 50))
def test_cells_p_better_equals_scipy(lost: int, won: int, unanswered: int) -> None:
    found = cells(lost, won, 1000, unanswered)
    trials = lost + won + unanswered
    expected = stats.binomtest(won, trials, 0.5, alternative="greater").pvalue if trials else 1.0
    assert found.p_better == pytest.approx(expected, rel=1e-12, abs=0)
    trials = lost + won
    expected = stats.binomtest(lost, trials, 0.5, alternative="greater").pvalue if trials else 1.0
    assert found.p_worse == pytest.approx(expected, rel=1e-12, abs=0)


def test_cells_gain_is_that_of_labeled_images() -> None:
    found = Cells(80, 5, 10, 5, unanswered=20)
    assert (found.images, found.discordant, found.gain) == (100, 15, 0.05)
    assert found.gain_lower < Cells(80, 5, 10, 5).gain_lower
    assert Cells().gain == 0.0


@pytest.mark.parametrize(
    ("discordant", "alpha", "expected"),
    [(4, 0.5, False), (4, 0.05, False), (5, 0.05, True), (6, 0.01, False), (7, 0.01, True)],
)
def test_cells_can_prove(discordant: int, alpha: float, expected: bool) -> None:  # noqa: FBT001
    assert cells(discordant, 0).can_prove(alpha) is expected


@pytest.mark.parametrize(
    ("found", "expected"),
    [
        (cells(0, 4), True),
        (cells(10, 12), False),
        (cells(10, 12, unanswered=2), False),
        (cells(10, 12, unanswered=20), True),
    ],
    ids=str,
)
def test_cells_is_open(found: Cells, expected: bool) -> None:  # noqa: FBT001
    assert found.is_open(0.05) is expected


@pytest.mark.parametrize(("margin", "images"), [(0.003, 998), (0.01, 299), (0.0, 0), (1.0, 0)])
def test_settings_images_needed(margin: float, images: int) -> None:
    assert GateSettings(margin=margin).images_needed == images
    if images:
        assert (1 - margin) ** images <= 0.05 < (1 - margin) ** (images - 1)
