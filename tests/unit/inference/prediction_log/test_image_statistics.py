"""Statistics of images agree with numpy and scipy."""

import numpy as np
import pytest
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


def test_statistics_of_an_empty_image_have_no_centroid() -> None:
    assert compute_statistics(bytes(SIDE * SIDE)) == (0, 0, None, None, 0)
