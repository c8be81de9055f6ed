"""Sample digits: ten handwritten digits from stored strokes, drawn with Pillow."""

import io
import math
from collections.abc import Sequence
from functools import cache

from PIL import Image, ImageDraw

SIDE = 140
# Drawn larger and then scaled down, for smooth edges.
OVERSAMPLING = 4
STROKE_SHARE = 0.085
WHITE, BLACK = 255, 0

Point = tuple[float, float]


def _arc(x: float, y: float, width: float, height: float, start: float, end: float) -> list[Point]:
    """Return points of an ellipse from one angle to another.

    Args:
        x: center, from the left.
        y: center, from the top.
        width: horizontal radius.
        height: vertical radius.
        start: first angle in degrees, clockwise from the right.
        end: last angle.

    """
    steps = 24
    angles = [math.radians(start + (end - start) * step / steps) for step in range(steps + 1)]
    return [(x + width * math.cos(angle), y + height * math.sin(angle)) for angle in angles]


# Strokes of each digit in a square of 1x1, origin in the upper left corner.
STROKES: dict[str, Sequence[Sequence[Point]]] = {
    "0": [_arc(0.50, 0.50, 0.19, 0.29, -80, 285)],
    "1": [[(0.54, 0.20), (0.50, 0.50), (0.47, 0.80)]],
    "2": [
        [
            *_arc(0.49, 0.36, 0.18, 0.16, -160, 30),
            (0.46, 0.65),
            (0.33, 0.79),
            (0.50, 0.77),
            (0.70, 0.79),
        ]
    ],
    "3": [[*_arc(0.48, 0.35, 0.17, 0.15, -150, 80), *_arc(0.47, 0.64, 0.20, 0.16, -85, 150)]],
    "4": [[(0.36, 0.22), (0.31, 0.53), (0.68, 0.51)], [(0.64, 0.22), (0.60, 0.52), (0.57, 0.82)]],
    "5": [[(0.67, 0.22), (0.41, 0.23), (0.38, 0.47), *_arc(0.48, 0.62, 0.18, 0.17, -110, 140)]],
    "6": [[(0.60, 0.18), (0.46, 0.34), (0.38, 0.54), *_arc(0.49, 0.66, 0.13, 0.14, 190, -190)]],
    "7": [[(0.30, 0.25), (0.50, 0.24), (0.70, 0.25), (0.56, 0.50), (0.45, 0.81)]],
    "8": [[*_arc(0.50, 0.35, 0.14, 0.14, 70, -290), *_arc(0.49, 0.65, 0.17, 0.16, -75, 285)]],
    "9": [[*_arc(0.49, 0.37, 0.15, 0.15, -20, -370), (0.62, 0.50), (0.58, 0.66), (0.53, 0.82)]],
}
SAMPLE_DIGITS = tuple(STROKES)


@cache
def draw_sample_digit(digit: str, side: int = SIDE) -> bytes:
    """Return a sample digit as PNG, black on white, as from the canvas.

    Args:
        digit: one of SAMPLE_DIGITS.
        side: width and height in pixels.

    """
    large_side = side * OVERSAMPLING
    image = Image.new("L", (large_side, large_side), WHITE)
    pen = ImageDraw.Draw(image)
    width = round(large_side * STROKE_SHARE)
    for stroke in STROKES[digit]:
        points = [(x * large_side, y * large_side) for x, y in stroke]
        pen.line(points, fill=BLACK, width=width, joint="curve")
        for x, y in points:
            pen.circle((x, y), width / 2, fill=BLACK)
    out = io.BytesIO()
    image.resize((side, side), Image.Resampling.LANCZOS).save(out, "PNG")
    return out.getvalue()
