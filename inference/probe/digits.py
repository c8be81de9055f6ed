"""Probe digits: a labeled set drawn by this module as strokes in many hands, always the same.

They stand for handwriting with known labels. None of them is an image of MNIST.
"""

import functools
import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from inference.preprocessing.digits import Pixels, normalize

HANDS = 20  # digits of each class
DIGIT_COUNT = 10 * HANDS
SEED = 20
PAPER = 120  # pixels of a side of the drawing, before it is normalized
HEIGHT = 70.0  # pixels of a digit in the drawing
CURVE_POINTS = 8  # between two points of a stroke

Stroke = tuple[tuple[float, float], ...]
Glyph = tuple[Stroke, ...]

# Strokes are curves through their points. x goes right and y down, both 0 to 1 for most digits.
# A repeated point makes a corner.
GLYPHS: dict[int, tuple[Glyph, ...]] = {
    0: (
        (((0.5, 0), (0.17, 0.2), (0.1, 0.55), (0.27, 0.92), (0.52, 1), (0.8, 0.85), (0.9, 0.45),
          (0.78, 0.12), (0.5, 0)),),
        (((0.62, 0.02), (0.3, 0.1), (0.12, 0.45), (0.18, 0.85), (0.45, 1), (0.75, 0.85),
          (0.87, 0.45), (0.72, 0.1), (0.5, 0.03)),),
    ),
    1: (
        (((0.5, 0), (0.5, 0.5), (0.5, 1)),),
        (((0.25, 0.22), (0.4, 0.12), (0.52, 0), (0.52, 0), (0.52, 0.5), (0.52, 1)),),
    ),
    2: (
        (((0.15, 0.25), (0.3, 0.05), (0.6, 0), (0.8, 0.2), (0.7, 0.5), (0.4, 0.78), (0.12, 1),
          (0.12, 1), (0.5, 0.98), (0.9, 0.97)),),
        (((0.17, 0.2), (0.4, 0.02), (0.7, 0.08), (0.78, 0.32), (0.6, 0.65), (0.32, 0.92),
          (0.14, 0.95), (0.17, 0.8), (0.37, 0.83), (0.6, 0.97), (0.9, 0.92)),),
    ),
    3: (
        (((0.17, 0.12), (0.45, 0), (0.75, 0.1), (0.72, 0.35), (0.42, 0.47), (0.42, 0.47),
          (0.75, 0.57), (0.82, 0.82), (0.5, 1), (0.15, 0.9)),),
        (((0.17, 0.04), (0.5, 0.02), (0.8, 0.03), (0.8, 0.03), (0.6, 0.22), (0.42, 0.42),
          (0.42, 0.42), (0.75, 0.52), (0.8, 0.8), (0.5, 1), (0.15, 0.92)),),
    ),
    4: (
        (((0.25, 0.03), (0.17, 0.3), (0.12, 0.55), (0.12, 0.55), (0.5, 0.56), (0.88, 0.52)),
         ((0.75, 0.0), (0.71, 0.5), (0.66, 1))),
        (((0.62, 0), (0.35, 0.35), (0.08, 0.66), (0.08, 0.66), (0.5, 0.66), (0.95, 0.65)),
         ((0.62, 0), (0.63, 0.5), (0.62, 1))),
    ),
    5: (
        (((0.3, 0.02), (0.27, 0.25), (0.23, 0.46), (0.23, 0.46), (0.5, 0.39), (0.78, 0.52),
          (0.8, 0.8), (0.5, 1), (0.13, 0.92)),
         ((0.3, 0.03), (0.55, 0.03), (0.85, 0.01))),
        (((0.86, 0.02), (0.6, 0.03), (0.32, 0.06), (0.32, 0.06), (0.26, 0.28), (0.24, 0.46),
          (0.24, 0.46), (0.5, 0.4), (0.76, 0.55), (0.72, 0.86), (0.42, 1), (0.12, 0.9)),),
    ),
    6: (
        (((0.66, 0), (0.38, 0.22), (0.18, 0.58), (0.24, 0.9), (0.5, 1), (0.76, 0.88),
          (0.76, 0.65), (0.52, 0.55), (0.24, 0.75)),),
        (((0.5, 0), (0.27, 0.3), (0.16, 0.68), (0.33, 0.97), (0.62, 0.98), (0.8, 0.78),
          (0.62, 0.58), (0.35, 0.63), (0.2, 0.8)),),
    ),
    7: (
        (((0.1, 0.06), (0.5, 0.04), (0.86, 0.03), (0.86, 0.03), (0.66, 0.4), (0.42, 1)),),
        (((0.1, 0.06), (0.5, 0.05), (0.86, 0.03), (0.86, 0.03), (0.64, 0.42), (0.42, 1)),
         ((0.38, 0.52), (0.58, 0.5), (0.8, 0.48))),
    ),
    8: (
        (((0.72, 0.12), (0.48, 0), (0.24, 0.14), (0.35, 0.38), (0.62, 0.57), (0.75, 0.82),
          (0.48, 1), (0.22, 0.84), (0.34, 0.58), (0.62, 0.38), (0.76, 0.14)),),
        (((0.5, 0), (0.25, 0.1), (0.28, 0.36), (0.5, 0.46), (0.72, 0.36), (0.74, 0.1), (0.5, 0)),
         ((0.5, 0.46), (0.22, 0.62), (0.25, 0.92), (0.5, 1), (0.76, 0.92), (0.78, 0.62),
          (0.5, 0.46))),
    ),
    9: (
        (((0.76, 0.16), (0.48, 0), (0.22, 0.2), (0.3, 0.46), (0.56, 0.46), (0.77, 0.18),
          (0.77, 0.18), (0.73, 0.6), (0.66, 1)),),
        (((0.76, 0.14), (0.5, 0), (0.22, 0.16), (0.28, 0.44), (0.58, 0.46), (0.78, 0.16),
          (0.78, 0.16), (0.78, 0.6), (0.62, 0.94), (0.3, 0.96)),),
    ),
}  # fmt: skip


class ProbeDigits(NamedTuple):
    """Canonical pixels, uint8 of shape (n, 28, 28), and digits 0 to 9, int64 of shape (n,).

    The digits are in rounds of 0 to 9, one round per hand.
    """

    pixels: Pixels
    labels: NDArray[np.int64]


@functools.cache
def probe_digits() -> ProbeDigits:
    """Return DIGIT_COUNT digits, drawn at the first call in some 0.1 s."""
    random = np.random.default_rng(SEED)
    drawn = [_draw(digit, hand, random) for hand in range(HANDS) for digit in range(10)]
    pixels = np.stack(drawn)
    pixels.setflags(write=False)
    return ProbeDigits(pixels, np.tile(np.arange(10), HANDS))


def _draw(digit: int, hand: int, random: np.random.Generator) -> Pixels:
    """Return one digit in one hand, with its own slant, proportions, pen and tremble."""
    shapes = GLYPHS[digit]
    slant, tilt = random.uniform(-0.15, 0.5), math.radians(random.uniform(-10, 10))
    aspect = random.uniform(0.55, 1.0)
    pen = random.uniform(5, 12.5)
    image = Image.new("L", (PAPER, PAPER), 0)
    draw = ImageDraw.Draw(image)
    for stroke in shapes[hand % len(shapes)]:
        points = np.array(stroke) - 0.5
        distinct, index = np.unique(points, axis=0, return_inverse=True)
        points = (distinct + random.normal(0, 0.025, distinct.shape))[index.reshape(-1)]
        curve = _curve(points) * (HEIGHT * aspect, HEIGHT)
        curve[:, 0] -= slant * curve[:, 1]
        turn = np.array([[math.cos(tilt), math.sin(tilt)], [-math.sin(tilt), math.cos(tilt)]])
        path = [(float(x), float(y)) for x, y in curve @ turn + PAPER / 2]
        draw.line(path, fill=255, width=round(pen))
        for x, y in path:
            draw.ellipse((x - pen / 2, y - pen / 2, x + pen / 2, y + pen / 2), fill=255)
    return normalize(np.asarray(image))


def _curve(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return points on the Catmull-Rom curve through some points, of shape (n, 2)."""
    before = np.concatenate([points[:1], points[:-2]])
    after = np.concatenate([points[2:], points[-1:]])
    step = np.linspace(0, 1, CURVE_POINTS, endpoint=False)[:, np.newaxis, np.newaxis]
    start, end = points[:-1], points[1:]
    parts = (
        start
        + step * (end - before) / 2
        + step**2 * (before - 2.5 * start + 2 * end - after / 2)
        + step**3 * (1.5 * start - before / 2 - 1.5 * end + after / 2)
    )
    return np.concatenate([parts.transpose(1, 0, 2).reshape(-1, 2), points[-1:]])
