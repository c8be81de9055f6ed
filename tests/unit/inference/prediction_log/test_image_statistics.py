"""Statistics of images agree with numpy and scipy."""

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from scipy import ndimage

from inference.prediction_log.image_statistics import SIDE, compute_statistics
from tests.support.prediction_log import make_image


def test_statistics_agree_with_numpy_and_scipy() -> None:
    pixels = make_image(1).pixels
    rim = np.ones((SIDE, SIDE), bool)
    rim[1:-1, 1:-1] = False
    y, x = ndimage.center_of_mass(pixels.astype(float))
    expected = [(pixels >= 128).mean(), pixels.mean(), x, y, pixels[rim].mean()]
    assert list(compute_statistics(pixels.tobytes())) == pytest.approx(expected)


@given(st.binary(min_size=SIDE * SIDE, max_size=SIDE * SIDE))
@example(bytes(SIDE * SIDE))
@example(b"\xff" * SIDE * SIDE)
@example(b"\x7f\x80" * (SIDE * SIDE // 2))
def test_statistics_equal_sums_over_single_pixels(pixels: bytes) -> None:
    points = [(*divmod(index, SIDE), value) for index, value in enumerate(pixels)]
    mass = sum(pixels)
    border = [value for row, column, value in points if {row, column} & {0, SIDE - 1}]
    assert compute_statistics(pixels) == (
        sum(value >= 128 for value in pixels) / SIDE**2,
        mass / SIDE**2,
        sum(column * value for _, column, value in points) / mass if mass else None,
        sum(row * value for row, _, value in points) / mass if mass else None,
        sum(border) / len(border),
    )


def test_statistics_of_an_empty_image_have_no_centroid() -> None:
    assert compute_statistics(bytes(SIDE * SIDE)) == (0, 0, None, None, 0)
