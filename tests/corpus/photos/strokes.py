"""Drawn digits: strokes in several hands, rendered as the coverage of a pen."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

Coverage = NDArray[np.float32]
Stroke = tuple[tuple[float, float], ...]

# Points of each stroke as x and y, from 0 to 1 of the digit's box, y down. A smooth curve passes
# through them. Each tuple of strokes is one way to write the digit.
DIGITS: dict[str, tuple[tuple[Stroke, ...], ...]] = {
    "0": (
        (((0.55, 0.0), (0.15, 0.2), (0.05, 0.6), (0.35, 1.0), (0.75, 0.75), (0.8, 0.3),
          (0.5, 0.0)),),
        (((0.4, 0.02), (0.1, 0.35), (0.15, 0.8), (0.5, 1.0), (0.85, 0.6), (0.75, 0.15),
          (0.35, 0.0)),),
    ),
    "1": (
        (((0.5, 0.0), (0.5, 0.5), (0.48, 1.0)),),
        (((0.2, 0.3), (0.4, 0.15), (0.55, 0.0)), ((0.55, 0.0), (0.54, 0.5), (0.52, 1.0))),
        (((0.6, 0.0), (0.5, 0.5), (0.4, 1.0)),),
    ),
    "2": (
        (
            ((0.1, 0.25), (0.4, 0.0), (0.8, 0.15), (0.7, 0.5), (0.4, 0.75), (0.08, 0.98)),
            ((0.08, 0.98), (0.45, 0.97), (0.9, 1.0)),
        ),
        (((0.1, 0.2), (0.45, 0.0), (0.75, 0.25), (0.5, 0.65), (0.1, 0.95), (0.3, 0.85), (0.55, 1.0),
          (0.95, 0.9)),),
    ),
    "3": (
        (((0.12, 0.12), (0.5, 0.0), (0.78, 0.2), (0.6, 0.42), (0.38, 0.48)),
         ((0.38, 0.48), (0.72, 0.55), (0.85, 0.78), (0.5, 1.0), (0.08, 0.9))),
        (((0.1, 0.02), (0.45, 0.0), (0.8, 0.02)), ((0.8, 0.02), (0.6, 0.25), (0.42, 0.42)),
         ((0.42, 0.42), (0.8, 0.55), (0.8, 0.85), (0.45, 1.0), (0.1, 0.88))),
    ),
    "4": (
        (((0.55, 0.0), (0.3, 0.35), (0.05, 0.65)), ((0.05, 0.65), (0.5, 0.64), (0.95, 0.62)),
         ((0.68, 0.35), (0.66, 0.7), (0.64, 1.0))),
        (((0.15, 0.0), (0.12, 0.3), (0.1, 0.5)), ((0.1, 0.5), (0.5, 0.52), (0.85, 0.48)),
         ((0.75, 0.02), (0.72, 0.5), (0.7, 1.0))),
        (((0.7, 1.0), (0.7, 0.5), (0.7, 0.0)), ((0.7, 0.0), (0.35, 0.4), (0.05, 0.7)),
         ((0.05, 0.7), (0.5, 0.7), (1.0, 0.7))),
    ),
    "5": (
        (((0.2, 0.02), (0.18, 0.2), (0.15, 0.42)),
         ((0.15, 0.42), (0.5, 0.36), (0.85, 0.6), (0.65, 0.93), (0.1, 0.97)),
         ((0.2, 0.02), (0.5, 0.02), (0.85, 0.0))),
        (((0.85, 0.0), (0.5, 0.02), (0.25, 0.02)), ((0.25, 0.02), (0.2, 0.25), (0.2, 0.45)),
         ((0.2, 0.45), (0.6, 0.4), (0.82, 0.7), (0.5, 1.0), (0.08, 0.9))),
    ),
    "6": (
        (((0.7, 0.0), (0.3, 0.3), (0.1, 0.7), (0.4, 1.0), (0.75, 0.8), (0.55, 0.55),
          (0.15, 0.7)),),
        (((0.6, 0.02), (0.2, 0.35), (0.12, 0.75), (0.45, 1.0), (0.82, 0.78), (0.6, 0.52),
          (0.2, 0.6)),),
    ),
    "7": (
        (((0.08, 0.05), (0.5, 0.03), (0.9, 0.0)), ((0.9, 0.0), (0.6, 0.5), (0.4, 1.0))),
        (((0.08, 0.03), (0.5, 0.02), (0.88, 0.02)), ((0.88, 0.02), (0.6, 0.5), (0.35, 1.0)),
         ((0.3, 0.5), (0.55, 0.48), (0.85, 0.48))),
    ),
    "8": (
        (((0.6, 0.02), (0.2, 0.15), (0.35, 0.42), (0.7, 0.6), (0.7, 0.9), (0.4, 1.0), (0.15, 0.8),
          (0.4, 0.52), (0.75, 0.25), (0.55, 0.01)),),
        (((0.5, 0.0), (0.2, 0.2), (0.5, 0.46), (0.8, 0.2), (0.48, 0.0)),
         ((0.5, 0.46), (0.12, 0.75), (0.5, 1.0), (0.86, 0.75), (0.48, 0.46))),
    ),
    "9": (
        (((0.75, 0.2), (0.45, 0.0), (0.15, 0.25), (0.4, 0.48), (0.75, 0.2)),
         ((0.75, 0.2), (0.72, 0.6), (0.65, 1.0))),
        (((0.75, 0.12), (0.35, 0.02), (0.2, 0.35), (0.55, 0.45), (0.78, 0.15)),
         ((0.78, 0.15), (0.75, 0.65), (0.5, 0.98), (0.15, 0.92))),
    ),
}  # fmt: skip
# The parts of these do not touch: the bar of a 5, and the upright of an open 4.
SPLIT: dict[str, tuple[Stroke, ...]] = {
    "4": (((0.15, 0.0), (0.12, 0.3), (0.1, 0.52)), ((0.1, 0.52), (0.35, 0.53), (0.56, 0.52)),
          ((0.72, 0.1), (0.7, 0.5), (0.68, 1.0))),
    "5": (((0.2, 0.14), (0.17, 0.28), (0.15, 0.45)),
          ((0.15, 0.45), (0.5, 0.38), (0.85, 0.62), (0.62, 0.94), (0.1, 0.97)),
          ((0.3, 0.0), (0.6, 0.0), (0.95, -0.03))),
    "7": (((0.08, 0.03), (0.5, 0.02), (0.88, 0.02)), ((0.9, 0.12), (0.62, 0.5), (0.4, 1.0)),
          ((0.3, 0.55), (0.55, 0.52), (0.85, 0.52))),
}  # fmt: skip


@dataclass(frozen=True)
class Hand:
    """The way one writer draws. Lengths are shares of the digit's height."""

    width: float = 0.09  # of the stroke
    wobble: float = 0.02  # standard deviation of each point
    slant: float = 0.0  # x per y
    aspect: float = 0.65  # width of the box by its height
    tilt: float = 0.0  # degrees, counterclockwise


def random_hand(rng: np.random.Generator, width: float = 0.09) -> Hand:
    """Return a hand as people have them: slanted by up to 15 degrees, narrow or wide."""
    return Hand(
        width * rng.uniform(0.8, 1.25),
        rng.uniform(0.0, 0.025),
        rng.uniform(-0.1, 0.28),
        rng.uniform(0.5, 0.8),
        rng.uniform(-4, 4),
    )


def draw(
    size: tuple[int, int],
    label: str,
    at: tuple[float, float],
    height: float,
    hand: Hand,
    rng: np.random.Generator,
    *,
    is_split: bool = False,
) -> Coverage:
    """Return the coverage of a drawn digit, float32 of shape (rows, columns), 0 to 1.

    `size` is width and height of the image, `at` the digit's center and `height` its height, in
    pixels.
    """
    ways = DIGITS[label]
    strokes = SPLIT[label] if is_split else ways[int(rng.integers(len(ways)))]
    image = Image.new("L", (size[0], size[1]))
    pen = ImageDraw.Draw(image)
    radius = max(hand.width * height / 2, 0.5)
    turn = np.deg2rad(hand.tilt)
    for stroke in strokes:
        points = np.array(stroke) + rng.normal(0, hand.wobble, (len(stroke), 2))
        x = (points[:, 0] - 0.5) * hand.aspect - hand.slant * (points[:, 1] - 0.5)
        y = points[:, 1] - 0.5
        turned = np.stack(
            [x * np.cos(turn) + y * np.sin(turn), y * np.cos(turn) - x * np.sin(turn)], axis=1
        )
        line = _smooth(turned * height + at)
        pen.line([tuple(p) for p in line], fill=255, width=max(1, round(2 * radius)))
        if radius > 1:
            for px, py in line[::2]:
                pen.ellipse((px - radius, py - radius, px + radius, py + radius), fill=255)
    return coverage(image)


def coverage(image: Image.Image) -> Coverage:
    """Return a gray image as coverage, 0 to 1."""
    return (np.asarray(image) / 255).astype(np.float32)


def _smooth(points: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return a Catmull-Rom curve through points, 24 steps a piece."""
    padded = np.vstack([2 * points[0] - points[1], points, 2 * points[-1] - points[-2]])
    t = np.linspace(0, 1, 24)[:, np.newaxis]
    pieces = []
    for a, b, c, d in zip(padded, padded[1:], padded[2:], padded[3:], strict=False):
        pieces.append(
            0.5 * (2 * b + (c - a) * t + (2 * a - 5 * b + 4 * c - d) * t**2
                   + (3 * b - a - 3 * c + d) * t**3)
        )  # fmt: skip
    return np.vstack(pieces)
