"""Ink map: polarity, and ink under shadows."""

import numpy as np
import pytest

from inference.preprocessing.photos.ink import close, has_light_ink, map_ink, shrink, spread
from tests.support.images import drawn


@pytest.mark.parametrize("side", [100, 300])
@pytest.mark.parametrize(("ink", "paper"), [(30, 100), (100, 30), (40, 230), (220, 40), (160, 220)])
def test_has_light_ink_is_read_from_the_picture(ink: int, paper: int, side: int) -> None:
    assert has_light_ink(drawn(side=side, ink=ink, paper=paper)) == (ink > paper)


@pytest.mark.parametrize("dark_half", [slice(0, 150), slice(150, 300)])
def test_has_light_ink_ignores_a_shadow(dark_half: slice) -> None:
    picture = drawn(side=300, ink=60, paper=230).copy()
    picture[:, dark_half] //= 2
    assert not has_light_ink(picture)


def test_map_ink_is_even_under_a_shadow() -> None:
    picture = drawn("8", side=300, ink=50, paper=220).astype(np.float32)
    shaded = (picture * np.linspace(1, 0.4, 300, dtype=np.float32)).astype(np.uint8)
    plain = map_ink(picture.astype(np.uint8), is_light=False).strength.astype(int)
    even = map_ink(shaded, is_light=False).strength.astype(int)
    assert np.abs(plain - even).mean() < 3
    assert even[picture > 200].max() < 90 < even[picture < 60].min()


def test_map_ink_noise_grows_with_the_grain() -> None:
    rng = np.random.default_rng(0)
    fine, coarse = (
        map_ink(rng.normal(200, grain, (200, 200)).clip(0, 255).astype(np.uint8), is_light=False)
        for grain in (2, 12)
    )
    assert fine.noise < coarse.noise
    assert (coarse.strength > coarse.noise).mean() < 0.02


def test_close_fills_strokes_and_keeps_wide_shadows() -> None:
    picture = np.full((60, 60), 200, np.uint8)
    picture[:, 20:25] = 50
    picture[40:] = 100
    closed = close(picture, 11)
    assert (closed[:40] == 200).all()
    assert (closed[40:] == 100).all()


def test_spread_is_the_highest_shade_of_a_window() -> None:
    picture = np.zeros((9, 9), np.uint8)
    picture[4, 4] = 7
    assert np.argwhere(spread(picture, 3)).tolist() == [
        [y, x] for y in (3, 4, 5) for x in (3, 4, 5)
    ]


@pytest.mark.parametrize(("shape", "small"), [((100, 300), (50, 150)), ((40, 150), (40, 150))])
def test_shrink_limits_the_longer_side(shape: tuple[int, int], small: tuple[int, int]) -> None:
    assert shrink(np.zeros(shape, np.uint8), 150).shape == small
