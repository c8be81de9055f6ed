"""Augmentation: reproducible transforms within their bounds."""

import numpy as np

from training import augment


def test_transforms_same_seed_are_equal() -> None:
    first, second = (augment.transforms(5, np.random.default_rng([1, 2])) for _ in range(2))
    assert np.array_equal(first, second)


def test_transforms_move_center_by_at_most_the_shift() -> None:
    rows = augment.transforms(1000, np.random.default_rng(0))
    centre = np.array([augment.CENTRE, augment.CENTRE, 1])
    moved = np.stack([rows[:, 0:3] @ centre, rows[:, 3:6] @ centre], axis=1) - augment.CENTRE
    assert np.abs(moved).max() <= augment.SHIFT_PIXELS + 1e-4


def test_apply_moves_pixels_by_the_row() -> None:
    image = np.zeros((1, 28, 28), np.float32)
    image[0, 10, 20] = 255
    # Output pixel (x, y) is taken from input pixel (x + 3, y): ink moves three to the left.
    moved = np.asarray(augment.apply(image, np.array([[1, 0, 3, 0, 1, 0, 0, 0]], np.float32)))
    assert [index.tolist() for index in np.nonzero(moved)] == [[0], [10], [17]]
