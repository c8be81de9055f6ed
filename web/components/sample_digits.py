"""Ten digits to try the models with, of our own making: strokes as of a hand, drawn with Pillow.

Pure.
"""

import io
import math
from collections.abc import Sequence
from functools import cache

from PIL import Image, ImageDraw

SIDE = 140
# Drawn so many times larger first, so that edges are smooth.
FINER = 4
STROKE_SHARE = 0.085
WHITE, BLACK = 255, 0

Point = tuple[float, float]


def _arc(x: float, y: float, wide: float, high: float, start: float, end: float) -> list[Point]:
    """Points of an ellipse around x, y from one angle to another (degrees, clockwise from the
    right).
    """
    steps = 24
    angles = [math.radians(start + (end - start) * step / steps) for step in range(steps + 1)]
    return [(x + wide * math.cos(angle), y + high * math.sin(angle)) for angle in angles]


# Each digit's strokes in a square of 1x1, from the upper left.
_STROKES: dict[str, Sequence[Sequence[Point]]] = {
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
EXAMPLES = tuple(_STROKES)


@cache
def draw_example(digit: str) -> bytes:
    """Return the PNG of one of EXAMPLES, 140x140, black on white: as of the canvas."""
    side = SIDE * FINER
    paper = Image.new("L", (side, side), WHITE)
    pen = ImageDraw.Draw(paper)
    width = round(side * STROKE_SHARE)
    for stroke in _STROKES[digit]:
        points = [(x * side, y * side) for x, y in stroke]
        pen.line(points, fill=BLACK, width=width, joint="curve")
        for x, y in points:
            pen.circle((x, y), width / 2, fill=BLACK)
    out = io.BytesIO()
    paper.resize((SIDE, SIDE), Image.Resampling.LANCZOS).save(out, "PNG")
    return out.getvalue()
