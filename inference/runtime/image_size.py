"""Image size: canonical images of 28x28 in the size that a model takes."""

import numpy as np
from PIL import Image

from inference.preprocessing.canonical import SIDE, Pixels


def pad(pixels: Pixels, height: int, width: int) -> Pixels:
    """Return images, uint8 of shape (n, 28, 28), with background around them: (n, height, width).

    Of an odd difference, the larger part is below and on the right.
    """
    top, left = (height - SIDE) // 2, (width - SIDE) // 2
    padded = np.zeros((len(pixels), height, width), np.uint8)
    padded[:, top : top + SIDE, left : left + SIDE] = pixels
    return padded


def resize(pixels: Pixels, height: int, width: int) -> Pixels:
    """Return images resized to (n, height, width), by area averages or linear interpolation."""
    size = (width, height)
    return np.stack(
        [
            np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BILINEAR))
            for image in pixels
        ]
    )
