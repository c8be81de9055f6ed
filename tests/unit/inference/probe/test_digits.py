"""Probe digits: canonical, of every class alike, and always the same."""

import numpy as np

from inference.preprocessing.digits import normalize
from inference.probe.digits import GLYPHS, HANDS, probe_digits


def test_probe_digits_hold_every_class_alike() -> None:
    digits = probe_digits()
    assert (digits.pixels.shape, digits.pixels.dtype.name) == ((200, 28, 28), "uint8")
    assert np.bincount(digits.labels).tolist() == [HANDS] * 10
    assert sorted(digits.labels[:10].tolist()) == list(range(10)), "in rounds"
    assert all(len(shapes) > 1 for shapes in GLYPHS.values())


def test_probe_digits_are_canonical() -> None:
    pixels = probe_digits().pixels
    assert pixels.max(axis=(1, 2)).min() == 255
    ink = pixels > 0
    heights, widths = ink.any(axis=2).sum(axis=1), ink.any(axis=1).sum(axis=1)
    assert (np.maximum(heights, widths) <= 20).all()
    rows = (pixels.sum(axis=2) @ np.arange(28)) / pixels.sum(axis=(1, 2))
    assert abs(rows - 14).max() < 1
    assert all((normalize(image) == image).all() for image in pixels)


def test_probe_digits_are_drawn_equally_again() -> None:
    again = probe_digits.__wrapped__()
    assert (again.pixels == probe_digits().pixels).all()


def test_hands_differ() -> None:
    assert len({image.tobytes() for image in probe_digits().pixels}) == 200
