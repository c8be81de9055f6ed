"""Augmentation: small random rotation, shear, zoom and shift of each digit.

numpy draws the transforms for a whole epoch from a seeded generator, so they depend only on the
seed and the epoch. TensorFlow only applies them.
"""

from typing import Any

import numpy as np
import numpy.typing as npt

ROTATION_DEGREES = 12.0
SLANT = 0.15  # horizontal shift per pixel of height
ZOOM = 0.12
SHIFT_PIXELS = 2.0
CENTRE = 13.5  # of a 28 pixel side, counted from 0


def transforms(count: int, rng: np.random.Generator) -> npt.NDArray[np.float32]:
    """Draw `count` transforms, each uniform within the bounds above: float32 (count, 8).

    A row (a0, a1, a2, b0, b1, b2, 0, 0) maps an output pixel (x, y) to the input pixel
    (a0 x + a1 y + a2, b0 x + b1 y + b2). This is the format of
    tf.raw_ops.ImageProjectiveTransformV3.
    """
    angle = np.deg2rad(rng.uniform(-ROTATION_DEGREES, ROTATION_DEGREES, count))
    slant = rng.uniform(-SLANT, SLANT, count)
    zoom_x, zoom_y = rng.uniform(1 - ZOOM, 1 + ZOOM, (2, count))
    shift_x, shift_y = rng.uniform(-SHIFT_PIXELS, SHIFT_PIXELS, (2, count))
    a0, a1 = zoom_x * np.cos(angle), zoom_x * (slant * np.cos(angle) - np.sin(angle))
    b0, b1 = zoom_y * np.sin(angle), zoom_y * (slant * np.sin(angle) + np.cos(angle))
    # Rotate about the image's center, not its corner.
    a2 = CENTRE - a0 * CENTRE - a1 * CENTRE + shift_x
    b2 = CENTRE - b0 * CENTRE - b1 * CENTRE + shift_y
    zero = np.zeros(count)
    return np.stack([a0, a1, a2, b0, b1, b2, zero, zero], axis=1).astype(np.float32)


def apply(images: Any, rows: Any) -> Any:
    """Transform a float32 tensor (n, 28, 28) by the matching rows (n, 8).

    Pixels that map outside the image are 0.
    """
    import tensorflow as tf

    moved = tf.raw_ops.ImageProjectiveTransformV3(
        images=images[..., tf.newaxis],
        transforms=rows,
        output_shape=tf.shape(images)[1:3],
        fill_value=0.0,
        interpolation="BILINEAR",
        fill_mode="CONSTANT",
    )
    return moved[..., 0]
