"""Texts of the gate."""

import pytest

from pipeline.gate import texts
from pipeline.gate.evidence import Cells


@pytest.mark.parametrize(
    ("value", "limit", "text"),
    [
        (0.018, None, ".018"),
        (0.5, None, ".5"),
        (1.0, None, "1"),
        (5e-20, None, "5e-20"),
        (0.01, 0.01, ".01"),
        (0.010004, 0.01, ".010004"),
        (0.0099999, 0.01, ".0099999"),
        (0.012501, 0.0125, ".013"),
    ],
)
def test_probability_tells_value_from_limit(value: float, limit: float | None, text: str) -> None:
    assert texts.probability(value, limit) == text


def test_p_value_too_small_for_a_float_is_a_limit() -> None:
    assert texts.p_value(0.018, 0.01) == "p = .018"
    assert texts.p_value(0.0, 0.01) == "p < 1e-300"


def test_wins_of_one_image_and_unanswered_requests() -> None:
    assert texts.wins(Cells(0, 18, 1)) == "1 image only the candidate reads, 18 only the champion"
    assert texts.wins(Cells(0, 18, 34, 0, 2)) == (
        "34 images only the candidate reads, 18 only the champion, and 2 requests without an "
        "answer, counted for the champion"
    )


def test_points_have_a_sign() -> None:
    assert texts.points(0.0016) == "+0.16 points"
    assert texts.points(-0.003) == "-0.30 points"
    assert texts.limit_points(0.003) == "0.3 points"
