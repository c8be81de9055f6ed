"""Rules: printed lines are removed, and strokes are kept."""

import numpy as np
import pytest

from inference.preprocessing.photos.components import Mask
from inference.preprocessing.photos.rules import find_ruling
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
