"""Pictures of errors: a misread image beside its references, and the mean image of a group."""

import io
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL import Image

SIDE = 28
SCALE = 3  # picture pixels for a pixel of an image
GAP = 2  # pixels of an image between two of them

Pixels = NDArray[np.uint8]


def side_by_side(images: Sequence[Pixels | None]) -> bytes:
    """Return a PNG of images in a row, with transparent gaps. None leaves its place empty.

    Each image is uint8 of shape (28, 28), ink high: white on black, as the models see it.
    """
    width = len(images) * (SIDE + GAP) - GAP
    canvas = np.zeros((SIDE, width, 2), np.uint8)  # gray and opacity
    for place, image in enumerate(images):
        if image is not None:
            left = place * (SIDE + GAP)
            canvas[:, left : left + SIDE, 0] = image
            canvas[:, left : left + SIDE, 1] = 255
    picture = Image.fromarray(canvas, "LA")
    out = io.BytesIO()
    picture.resize((SCALE * width, SCALE * SIDE), Image.Resampling.NEAREST).save(out, "PNG")
    return out.getvalue()


def mean_image(images: Pixels) -> Pixels:
    """Return the mean of at least one image, uint8 of shape (28, 28)."""
    return np.asarray(images.mean(axis=0).round(), np.uint8)
