"""A seven, as a picture and as a drawing by hand."""

import io
from itertools import pairwise

from PIL import Image, ImageDraw
from playwright.sync_api import Page

# Corners of a seven in a square of 1x1.
SEVEN = [(0.28, 0.25), (0.72, 0.25), (0.42, 0.80)]
STEPS = 12


def seven_png(side: int = 140) -> bytes:
    """Black on white."""
    image = Image.new("L", (side, side), 255)
    points = [(x * side, y * side) for x, y in SEVEN]
    ImageDraw.Draw(image).line(points, fill=0, width=round(side * 0.08), joint="curve")
    out = io.BytesIO()
    image.save(out, "PNG")
    return out.getvalue()


def stroke() -> list[tuple[float, float]]:
    """The seven as one stroke of many points."""
    points = []
    for (x0, y0), (x1, y1) in pairwise(SEVEN):
        points += [
            (x0 + (x1 - x0) * step / STEPS, y0 + (y1 - y0) * step / STEPS)
            for step in range(STEPS + 1)
        ]
    return points


def _canvas_points(page: Page) -> list[tuple[float, float]]:
    canvas = page.locator("canvas[data-part=canvas]")
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    assert box is not None
    return [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in stroke()]


def draw_with_mouse(page: Page) -> None:
    """Press, move, release."""
    first, *rest = _canvas_points(page)
    page.mouse.move(*first)
    page.mouse.down()
    for point in rest:
        page.mouse.move(*point)
    page.mouse.up()


def draw_with_finger(page: Page) -> None:
    """The touch events of a finger, as the browser gets them from the screen."""
    first, *rest = _canvas_points(page)
    screen = page.context.new_cdp_session(page)

    def touch(kind: str, *points: tuple[float, float]) -> None:
        screen.send(
            "Input.dispatchTouchEvent",
            {"type": kind, "touchPoints": [{"x": x, "y": y} for x, y in points]},
        )

    touch("touchStart", first)
    for point in rest:
        touch("touchMove", point)
    touch("touchEnd")
