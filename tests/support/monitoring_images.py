"""Drawn digits with noise: images of the monitor's tests, ordinary and changed."""

import numpy as np
from numpy.typing import NDArray

from inference.probe.digits import probe_digits

Images = NDArray[np.uint8]


def digits(count: int, seed: int, *, noise: float = 12.0) -> tuple[Images, list[str]]:
    """Return drawn digits with noise on their ink, and their labels. No two are equal."""
    random = np.random.default_rng(seed)
    pixels, labels = probe_digits()
    chosen = random.integers(0, len(pixels), count)
    noisy = pixels[chosen] + random.normal(0, noise, (count, *pixels.shape[1:]))
    kept = np.where(pixels[chosen] > 0, noisy, 0)
    return np.clip(kept, 0, 255).astype(np.uint8), [str(labels[one]) for one in chosen]


def strange(count: int, seed: int) -> tuple[Images, list[str]]:
    """Return digits of a bad scanner: faint, on a gray and noisy ground."""
    images, labels = digits(count, seed)
    random = np.random.default_rng(seed)
    ground = random.normal(70, 22, images.shape)
    return np.clip(images * 0.6 + ground, 0, 255).astype(np.uint8), labels
