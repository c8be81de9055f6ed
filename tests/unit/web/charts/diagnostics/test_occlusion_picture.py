"""Picture of an occlusion map: colors of the theme, one scale for all maps."""

import io
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from web.charts.diagnostics.occlusion_picture import (
    CARRIES,
    INK,
    MIN_FULL_DROP,
    OPPOSES,
    PAPER,
    SCALE,
    full_drop,
    occlusion_picture,
    spread,
)


def one_drop(row: int, column: int, drop: float) -> NDArray[Any]:
    drops = np.zeros((13, 13), np.float32)
    drops[row, column] = drop
    return drops


def picture(drops: NDArray[Any], *, full: float, dark: bool) -> NDArray[Any]:
    pixels = np.zeros((28, 28), np.uint8)
    pixels[20, 20] = 255
    data = occlusion_picture(pixels, drops, patch=4, stride=2, full=full, dark=dark)
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def test_spread_paints_each_patch() -> None:
    found = spread(one_drop(2, 5, 0.8), 28, 4, 2)
    inside = np.argwhere(found == np.float32(0.8))
    assert (len(inside), inside.min(axis=0).tolist()) == (16, [4, 10])
    assert np.count_nonzero(found) == 16


def test_spread_takes_the_strongest_patch_over_a_pixel() -> None:
    found = spread(one_drop(0, 0, 0.3) + one_drop(0, 1, -0.6), 28, 4, 2)
    assert [round(float(value), 3) for value in found[0, :7]] == [
        0.3,
        0.3,
        -0.6,
        -0.6,
        -0.6,
        -0.6,
        0,
    ]


def test_full_drop_is_shared_and_has_a_floor() -> None:
    assert full_drop([one_drop(0, 0, 0.2), one_drop(3, 3, -0.7)]) == pytest.approx(0.7)
    assert full_drop([one_drop(0, 0, 0.001)]) == MIN_FULL_DROP
    assert full_drop([]) == MIN_FULL_DROP


@pytest.mark.parametrize("dark", [False, True])
def test_picture_has_the_colors_of_the_theme(*, dark: bool) -> None:
    found = picture(one_drop(0, 0, 0.5) - one_drop(12, 12, 0.5), full=0.5, dark=dark)
    assert found.shape == (28 * SCALE, 28 * SCALE, 3)
    assert tuple(found[0, 0]) == CARRIES[dark]
    assert tuple(found[-1, -1]) == OPPOSES[dark]
    assert tuple(found[14 * SCALE, 14 * SCALE]) == PAPER[dark]
    assert tuple(found[20 * SCALE + 3, 20 * SCALE + 3]) == INK[dark]
