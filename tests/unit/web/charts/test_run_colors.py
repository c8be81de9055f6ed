"""Colors of runs."""

import itertools

import pytest

from web.charts.run_colors import DASHES, PALETTE, SIZE, run_color, run_styles
from web.charts.theme import SURFACE

MIN_DISTANCE = 25  # of two colors, in red, green and blue of 0 to 255


def channels(color: str) -> tuple[int, ...]:
    return tuple(int(color[start : start + 2], 16) for start in (1, 3, 5))


def luminance(color: str) -> float:
    """Return the relative luminance of WCAG 2."""
    shares = [value / 255 for value in channels(color)]
    linear = [one / 12.92 if one <= 0.04045 else ((one + 0.055) / 1.055) ** 2.4 for one in shares]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("dark", [False, True])
def test_palette_is_distinguishable(dark: bool) -> None:  # noqa: FBT001
    for one, other in itertools.combinations(PALETTE[dark], 2):
        squares = [(a - b) ** 2 for a, b in zip(channels(one), channels(other), strict=True)]
        assert sum(squares) ** 0.5 >= MIN_DISTANCE, (one, other)
    surface = luminance(SURFACE[dark])
    for color in PALETTE[dark]:
        low, high = sorted((luminance(color), surface))
        assert (high + 0.05) / (low + 0.05) >= 3, color


def test_run_has_the_same_color_in_any_company() -> None:
    alone = {f"run_{number}": run_color(f"run_{number}", dark=False) for number in range(200)}
    for names in itertools.pairwise(alone):
        if alone[names[0]] != alone[names[1]]:
            styles = run_styles(names, dark=False)
            assert [styles[name].color for name in names] == [alone[name] for name in names]


def test_runs_of_one_color_get_different_ones() -> None:
    """The first by name keeps its color, whatever the order."""
    color = run_color("a", dark=True)
    other = next(
        name
        for name in (f"b{number}" for number in range(1000))
        if run_color(name, dark=True) == color
    )
    styles = run_styles([other, "a"], dark=True)
    assert (styles["a"].color, styles[other].color == color) == (color, False)
    assert styles == run_styles(["a", other], dark=True)


def test_sixty_runs_have_different_styles() -> None:
    names = [f"run_{number}" for number in range(SIZE * len(DASHES))]
    styles = run_styles(names, dark=False)
    assert len(set(styles.values())) == len(names)


def test_both_themes_have_the_same_position() -> None:
    light, dark = (run_styles(["a", "b", "c"], dark=theme) for theme in (False, True))
    assert [PALETTE[False].index(style.color) for style in light.values()] == [
        PALETTE[True].index(style.color) for style in dark.values()
    ]
