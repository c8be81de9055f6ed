"""Colors of runs: one color for a run on every page, by its name.

A hash of the name chooses the color. If runs of one chart have the same one, the first of them by
name keeps it, and the others get the next free color. Beyond the palette, dashes distinguish lines.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

# Ten hues in two lightnesses of OKLCH, by "is the theme dark". A position has the same hue in both
# themes. The contrast with the background is at least 3, as WCAG requires of graphics.
PALETTE = {
    False: (
        *("#900e26", "#753c05", "#5e4b02", "#3b5700", "#0c5b40"),
        *("#04585c", "#015477", "#323fa2", "#652a8e", "#831762"),
        *("#d8582e", "#b47806", "#8c8c01", "#2aa040", "#079b8b"),
        *("#0995b2", "#2d87e9", "#876fe4", "#b85cbc", "#d4517e"),
    ),
    True: (
        *("#e36368", "#da7306", "#b08e00", "#75a322", "#04ac7b"),
        *("#10a6ad", "#0c9edc", "#7189f3", "#ad74dd", "#d365aa"),
        *("#fdc1ae", "#fec678", "#d6d86e", "#97e89d", "#57edd7"),
        *("#79e2ff", "#b2d4ff", "#d0cafd", "#fdb3ff", "#ffbccd"),
    ),
}
SIZE = len(PALETTE[False])
DASHES = ("solid", "dashed", "dotted")
# Neighbors in the palette are similar, so a search for a free color makes larger steps.
_STEP = 7


@dataclass(frozen=True)
class RunStyle:
    """Color and dash pattern of a run's line or dot."""

    color: str
    dash: str


def run_color(name: str, *, dark: bool) -> str:
    """Return the color of a run that is shown alone."""
    return PALETTE[dark][_preferred(name)]


def run_styles(names: Sequence[str], *, dark: bool) -> dict[str, RunStyle]:
    """Return the style of each run of a chart, different ones for up to 60 runs.

    Of more runs, each has its color as if it were alone.

    Args:
        names: the runs, in any order.
        dark: whether the theme is dark.

    """
    slots: dict[str, int] = {}
    ordered = sorted(set(names))
    if len(ordered) > SIZE * len(DASHES):
        return {name: RunStyle(run_color(name, dark=dark), DASHES[0]) for name in ordered}
    for start in range(0, len(ordered), SIZE):
        slots.update(_assign(ordered[start : start + SIZE], first=start))
    return {
        name: RunStyle(PALETTE[dark][slots[name] % SIZE], DASHES[slots[name] // SIZE % len(DASHES)])
        for name in names
    }


def _assign(names: Sequence[str], first: int) -> dict[str, int]:
    """Return a free slot from `first` on for each of at most SIZE runs."""
    slots: dict[int, str] = {}
    for name in names:  # a run keeps its color unless an earlier one has the same
        slots.setdefault(_preferred(name), name)
    placed = set(slots.values())
    for name in names:
        if name not in placed:
            wanted = _preferred(name)
            free = (wanted + _STEP * tries for tries in range(1, SIZE))
            slots[next(slot % SIZE for slot in free if slot % SIZE not in slots)] = name
    return {name: first + slot for slot, name in slots.items()}


def _preferred(name: str) -> int:
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big") % SIZE
