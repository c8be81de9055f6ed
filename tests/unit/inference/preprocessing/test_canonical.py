"""Canonical pixels: stretched shades, and ink fitted into 28x28."""

import numpy as np
import pytest

from inference.preprocessing.canonical import BOX, SIDE, fit, stretch
from tests.support.images import drawn


@pytest.mark.parametrize("shape", [(40, 10), (10, 40), (300, 280)])
def test_fit_longer_side_is_the_box(shape: tuple[int, int]) -> None:
    pixels = fit(np.full(shape, 200, np.uint8))
    rows, columns = np.flatnonzero(pixels.any(axis=1)), np.flatnonzero(pixels.any(axis=0))
    assert pixels.shape == (SIDE, SIDE)
    assert max(rows.size, columns.size) == BOX


def test_fit_without_ink_is_zeros() -> None:
    assert not fit(np.full((50, 50), 20, np.uint8)).any()


def test_stretch_maps_background_to_0_and_ink_to_255() -> None:
    stretched = stretch(drawn(ink=180, paper=90), 90, 16)
    assert (int(stretched.min()), int(np.median(stretched)), int(stretched.max())) == (0, 0, 255)


@pytest.mark.parametrize(("contrast", "is_kept"), [(15, False), (16, True)])
def test_stretch_drops_contrast_of_noise(contrast: int, *, is_kept: bool) -> None:
    assert stretch(drawn(ink=50 + contrast, paper=50), 50, 16).any() == is_kept
