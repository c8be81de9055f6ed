"""Rules: printed lines are removed, and strokes are kept."""

import numpy as np
import pytest

from inference.preprocessing.photos.components import Mask, find_runs
from inference.preprocessing.photos.rules import _count_thin, _find_thin, find_ruling
from tests.support.images import drawn

SIDE = 300


def remove_rules(mask: Mask, *, is_several: bool = False) -> Mask:
    return find_ruling(mask.view(np.uint8), 0, is_several=is_several).remove(mask)


def digit(text: str = "3") -> Mask:
    return drawn(text, side=SIDE) > 127


def lined(*, is_squared: bool, slope: float = 0.0, width: int = 2) -> Mask:
    mask = np.zeros((SIDE, SIDE), np.bool_)
    columns = np.arange(SIDE)
    for at in range(10, SIDE - 10, 35):
        for thick in range(width):
            along = (at + slope * columns).astype(int).clip(0, SIDE - 1 - width) + thick
            mask[along, columns] = True
            if is_squared:
                mask[columns, along] = True
    return mask


@pytest.mark.parametrize("slope", [0.0, 0.03, -0.05])
@pytest.mark.parametrize("is_squared", [False, True])
def test_remove_rules_leaves_a_blank_sheet(*, is_squared: bool, slope: float) -> None:
    left = remove_rules(lined(is_squared=is_squared, slope=slope))
    assert left.mean() < 0.002


@pytest.mark.parametrize("is_squared", [False, True])
def test_remove_rules_keeps_the_digit(*, is_squared: bool) -> None:
    ink = digit()
    left = remove_rules(ink | lined(is_squared=is_squared))
    assert (left & ink).sum() > 0.93 * ink.sum()
    assert (left & ~ink).sum() < 0.15 * ink.sum()


@pytest.mark.parametrize("is_several", [False, True])
def test_remove_rules_single_line_is_a_rule_at_both_borders(*, is_several: bool) -> None:
    mask = np.zeros((SIDE, SIDE), np.bool_)
    mask[40:42, :] = True  # a margin line
    mask[100:102, 60:240] = True  # the bar of a large 7
    left = remove_rules(mask, is_several=is_several)
    assert left[40].any() == is_several
    assert left[100].sum() == 180


def test_remove_rules_keeps_a_large_digit_of_a_thin_pen() -> None:
    mask = np.zeros((SIDE, SIDE), np.bool_)
    mask[20:280, 150:152] = True  # the upright of a 4
    mask[180:182, 40:260] = True  # its bar
    assert (remove_rules(mask) == mask).all()


@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("max_thickness", [3, 4, 11])
@pytest.mark.parametrize("height", [1, 3, 4, 5, 80])
def test_find_thin_equals_short_runs(height: int, max_thickness: int, order: str) -> None:
    ink = np.random.default_rng(height).random((height, 50)) < 0.8
    upright = find_runs(np.ascontiguousarray(ink.T))
    expected = upright.paint(upright.stop - upright.start <= max_thickness).T
    ink = np.asarray(ink, order="F" if order == "F" else "C")
    assert (_find_thin(ink, max_thickness) == expected).all()
    assert _count_thin(ink, max_thickness) == expected.sum()


@pytest.mark.parametrize("pieces", [1, 2, 3, 4, 5, 8])
def test_dashed_lines_are_rules_if_they_span_half_a_sheet(pieces: int) -> None:
    mask = np.zeros((SIDE, SIDE), np.bool_)
    for row in (50, 100, 150):
        for piece in range(pieces):
            mask[row, 10 + 30 * piece : 22 + 30 * piece] = True
    is_rule = 12 * pieces + 18 * (pieces - 1) >= SIDE / 2
    assert remove_rules(mask, is_several=True).any() != is_rule
