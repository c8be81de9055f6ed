"""A seven as an image and as a drawing in the browser, from the dashboard's sample digits."""

from itertools import pairwise

from playwright.sync_api import Page

from web.components.sample_digits import STROKES, draw_sample_digit

[SEVEN] = STROKES["7"]
POINTS_PER_LINE = 12


def seven_png(side: int = 140) -> bytes:
    """Return a seven as PNG, black on white."""
    return draw_sample_digit("7", side)


def _canvas_points(page: Page) -> list[tuple[float, float]]:
    """Return many points of the seven on the canvas, in pixels of the page."""
    canvas = page.locator("canvas[data-part=canvas]")
    canvas.scroll_into_view_if_needed()
    box = canvas.bounding_box()
    assert box is not None
    stroke = [
        (x0 + (x1 - x0) * step / POINTS_PER_LINE, y0 + (y1 - y0) * step / POINTS_PER_LINE)
        for (x0, y0), (x1, y1) in pairwise(SEVEN)
        for step in range(POINTS_PER_LINE + 1)
    ]
    return [(box["x"] + x * box["width"], box["y"] + y * box["height"]) for x, y in stroke]


def draw_with_mouse(page: Page) -> None:
    """Draw a seven with mouse events."""
    first, *rest = _canvas_points(page)
    page.mouse.move(*first)
    page.mouse.down()
    for point in rest:
        page.mouse.move(*point)
    page.mouse.up()


def draw_with_finger(page: Page) -> None:
    """Draw a seven with touch events, as the browser gets them from the screen."""
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
