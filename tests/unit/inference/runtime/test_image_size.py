"""Image size: padding with background, and resizing."""

import numpy as np

from inference.runtime.image_size import pad, resize

IMAGES = np.random.default_rng(0).integers(0, 256, (2, 28, 28), np.uint8)


def test_pad_centers_the_image_on_background() -> None:
    padded = pad(IMAGES, 32, 33)
    assert (padded == np.pad(IMAGES, ((0, 0), (2, 2), (2, 3)))).all()
    assert (pad(IMAGES, 28, 28) == IMAGES).all()


def test_resize_interpolates() -> None:
    resized = resize(IMAGES, 14, 56)
    assert (resized.shape, resized.dtype.name) == ((2, 14, 56), "uint8")
    assert abs(resized.mean() - IMAGES.mean()) < 2
