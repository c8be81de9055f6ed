"""Rules: the printed lines and squares of a sheet, removed from a mask of ink."""

from typing import NamedTuple

import numpy as np

from inference.preprocessing.photos.components import Mask, find_components, find_runs
from inference.preprocessing.photos.ink import Gray, over_windows, slide

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
        return ink & ~(self.mask & _find_thin(ink, int(self.thickness)))


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
    ink = strength > level
    horizontal = _find_horizontal(strength, ink, is_several=is_several)
    if horizontal is not None:
        ink = horizontal.remove(ink)
    return Ruling(horizontal, _find_horizontal(strength.T, ink.T, is_several=is_several))


def _find_horizontal(strength: Gray, ink: Mask, *, is_several: bool) -> Rules | None:
    width = ink.shape[1]
    max_thickness = int(max(3, MAX_THICKNESS_SHARE * max(ink.shape)))
    # A line joins pieces whose ends, widened by the gap, meet. Too few pixels cannot span a sheet.
    min_length, gap = max(6, width * PIECE_SHARE), max(2, round(width * GAP_SHARE))
    min_span = SPAN_SHARE * width + 2 * gap
    min_total = min_span * (SEVERAL if is_several else 1)
    pixels = _count_thin(ink, max_thickness)
    if pixels + 2 * gap * (pixels // min_length) < min_total:
        return None
    strength, ink = np.ascontiguousarray(strength), np.ascontiguousarray(ink)
    thin = _find_thin(ink, max_thickness)
    runs = find_runs(thin)
    length = runs.stop - runs.start
    is_piece = length >= min_length
    if int((length[is_piece] + 2 * gap).sum()) < min_total:
        return None
    pieces = runs.paint(is_piece).view(np.uint8)
    lines = find_components(slide(pieces, 2 * gap + 1, 1, np.maximum, 0) > 0)
    is_rule = lines.width >= min_span
    if is_rule.sum() < SEVERAL:
        if is_several:
            return None
        is_rule &= (lines.left == 0) & (lines.right == width)
    if not is_rule.any():
        return None
    rule = lines.paint(is_rule)
    # A rule ends where the ink goes on up or down, or is stronger: there a stroke crosses it.
    upright = find_runs(np.ascontiguousarray(ink.T))
    length = upright.stop - upright.start
    is_on_rule = (rule & thin).T[upright.row, (upright.start + upright.stop) // 2]
    is_faint = strength <= MAX_RULE_STRENGTH * float(np.median(strength[rule & thin]))
    return Rules(rule & is_faint, float(np.median(length[is_on_rule])) + 1)


def _find_thin(ink: Mask, max_thickness: int) -> Mask:
    """Return the ink in upright runs of at most `max_thickness` pixels."""
    thick = _find_thick(ink, max_thickness)
    if not thick.size:
        return ink
    # Morphological opening: each start of a longer run brings the whole run back.
    framed = np.pad(thick, ((max_thickness, max_thickness), (0, 0)))
    covered: Mask = over_windows(framed, max_thickness + 1, np.logical_or)
    return ink & ~covered


def _count_thin(ink: Mask, max_thickness: int) -> int:
    """Return the number of pixels that `_find_thin` returns, in a third of its time."""
    thick = _find_thick(ink, max_thickness)
    runs = np.count_nonzero(thick[:1]) + np.count_nonzero(thick[1:] > thick[:-1])
    return int(np.count_nonzero(ink) - np.count_nonzero(thick) - max_thickness * runs)


def _find_thick(ink: Mask, max_thickness: int) -> Mask:
    """Return which pixels begin more than `max_thickness` rows of ink, one below the other."""
    if len(ink) <= max_thickness:
        return ink[:0]
    thick: Mask = over_windows(ink, max_thickness + 1, np.logical_and)
    return thick
