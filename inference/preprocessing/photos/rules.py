"""Rules: the printed lines and squares of a sheet, removed from a mask of ink."""

from typing import NamedTuple

import numpy as np

from inference.preprocessing.photos.components import Mask, Runs, find_components, find_runs
from inference.preprocessing.photos.ink import Gray, slide

# Rules are several lines that span much of a sheet, or a single one from border to border. A digit
# that fills its picture has up to two such bars.
SPAN_SHARE, SEVERAL = 0.5, 3
# Pieces of a rule that is tilted by 4 degrees are 14 times as long as it is thick.
PIECE_SHARE = 1 / 28
MAX_THICKNESS_SHARE = 1 / 40
MAX_RULE_STRENGTH = 1.6  # of the median along the rules
GAP_SHARE = 1 / 16  # between two pieces of a rule, where strokes cross it


class Rules(NamedTuple):
    """Rules of one direction: where they are, and their greatest thickness in pixels."""

    mask: Mask
    thickness: float

    def remove(self, ink: Mask) -> Mask:
        """Return ink without horizontal rules. Strokes that cross a rule keep their ink."""
        upright = find_runs(np.ascontiguousarray(ink.T))
        return ink & ~(self.mask & _paint_thin(upright, self.thickness))


class Ruling(NamedTuple):
    """Horizontal and vertical rules of a sheet. The mask of the vertical ones is transposed."""

    horizontal: Rules | None
    vertical: Rules | None

    def remove(self, ink: Mask) -> Mask:
        """Return ink without rules."""
        if self.horizontal is not None:
            ink = self.horizontal.remove(ink)
        if self.vertical is not None:
            ink = np.ascontiguousarray(self.vertical.remove(np.ascontiguousarray(ink.T)).T)
        return ink


def find_ruling(strength: Gray, level: float, *, is_several: bool = False) -> Ruling:
    """Return the rules among all ink above a level.

    With `is_several`, a single line is not a rule.
    """
    horizontal = _find_horizontal(strength, strength > level, is_several=is_several)
    ink = strength > level
    if horizontal is not None:
        ink = horizontal.remove(ink)
    turned = np.ascontiguousarray(strength.T), np.ascontiguousarray(ink.T)
    return Ruling(horizontal, _find_horizontal(*turned, is_several=is_several))


def _find_horizontal(strength: Gray, ink: Mask, *, is_several: bool) -> Rules | None:
    width = ink.shape[1]
    upright = find_runs(np.ascontiguousarray(ink.T))
    thin = _paint_thin(upright, max(3, MAX_THICKNESS_SHARE * max(ink.shape)))
    runs = find_runs(thin)
    is_piece = runs.stop - runs.start >= max(6, width * PIECE_SHARE)
    if not is_piece.any():
        return None
    gap = max(2, round(width * GAP_SHARE))
    pieces = runs.paint(is_piece).view(np.uint8)
    lines = find_components(slide(pieces, 2 * gap + 1, 1, np.maximum, 0) > 0)
    is_rule = lines.width >= SPAN_SHARE * width + 2 * gap
    if is_rule.sum() < SEVERAL:
        if is_several:
            return None
        is_rule &= (lines.left == 0) & (lines.right == width)
    if not is_rule.any():
        return None
    rule = lines.paint(is_rule)
    # A rule ends where the ink goes on up or down, or is stronger: there a stroke crosses it.
    length = upright.stop - upright.start
    is_on_rule = (rule & thin).T[upright.row, (upright.start + upright.stop) // 2]
    is_faint = strength <= MAX_RULE_STRENGTH * float(np.median(strength[rule & thin]))
    return Rules(rule & is_faint, float(np.median(length[is_on_rule])) + 1)


def _paint_thin(upright: Runs, max_thickness: float) -> Mask:
    """Return the runs of a transposed mask that are at most as long as this, as a mask."""
    return np.ascontiguousarray(upright.paint(upright.stop - upright.start <= max_thickness).T)
