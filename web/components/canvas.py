"""Drawing canvas for one digit: a Streamlit component with canvas.js and canvas.css."""

import base64
import binascii
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import streamlit as st

_HERE = Path(__file__).parent
_PREFIX = "data:image/png;base64,"
# The canvas sends about 2 kB.
MAX_PNG_BYTES = 100_000
# A pen sends about 100 points per second.
MAX_POINTS = 20_000

_HTML = """
<div class="frame">
  <canvas data-part="canvas" role="img"></canvas>
  <div class="hint" data-part="hint" aria-hidden="true"></div>
</div>
<div class="buttons">
  <label class="pen"><span data-part="pen-label"></span>
    <input type="range" step="1" data-part="pen"></label>
  <button type="button" data-part="undo"></button>
  <button type="button" data-part="clear"></button>
</div>
"""

_TEXTS = {
    "label": "Drawing area for one digit. Without a mouse or touch screen, upload an image.",
    "hint": "Draw a digit here",
    "undo": "Undo",
    "clear": "Clear",
    "pen": "Pen",
}
# Shares of the side. MNIST strokes are about 2.2 of 28 pixels wide.
DEFAULT_WIDTH, WIDTHS = 0.08, (0.03, 0.16)


@st.cache_resource(show_spinner=False)
def _component() -> Any:
    return st.components.v2.component(
        "digit_canvas",
        html=_HTML,
        css=(_HERE / "canvas.css").read_text(encoding="utf-8"),
        js=(_HERE / "canvas.js").read_text(encoding="utf-8"),
    )


def show_canvas(key: str) -> bytes | None:
    """Show the canvas and return the drawing as PNG, black on white. None while it is blank.

    The drawing stays in the session while another page is open, and in the storage of the
    browser's tab after a reload.
    """
    stored = f"{key}_stored"
    # A new canvas has no drawing yet, so it starts with the stored strokes. Without any, a new
    # session asks the browser.
    drawing = st.session_state.get(stored)
    result = _component()(
        key=key,
        data={
            **_TEXTS,
            "strokes": None if drawing is None else parse_strokes(drawing),
            "width": DEFAULT_WIDTH,
            "widths": WIDTHS,
        },
        on_drawing_change=lambda: None,
    )
    if result.drawing is not None:
        st.session_state[stored] = result.drawing
    drawing = st.session_state.get(stored)
    return decode_png(drawing.get("png")) if isinstance(drawing, Mapping) else None


def parse_strokes(drawing: object) -> list[dict[str, Any]]:
    """Return the strokes of a message from the canvas, none for an invalid message.

    A stroke is a width and a list of points with coordinates, all from 0 to 1.
    """
    strokes = drawing.get("strokes") if isinstance(drawing, Mapping) else None
    if not isinstance(strokes, list) or not all(_is_stroke(stroke) for stroke in strokes):
        return []
    return strokes if sum(len(stroke["points"]) for stroke in strokes) <= MAX_POINTS else []


def _is_stroke(stroke: object) -> bool:
    if not isinstance(stroke, Mapping):
        return False
    width, points = stroke.get("width"), stroke.get("points")
    return (
        isinstance(width, int | float)
        and 0 < width <= 1
        and isinstance(points, list)
        and bool(points)
        and all(_is_point(point) for point in points)
    )


def _is_point(point: object) -> bool:
    return (
        isinstance(point, list)
        and len(point) == len(("x", "y"))
        and all(isinstance(value, int | float) for value in point)
    )


def decode_png(data_url: object) -> bytes | None:
    """Return the bytes of a PNG data URL from the canvas, None for an invalid one."""
    if (
        not isinstance(data_url, str)
        or not data_url.startswith(_PREFIX)
        or len(data_url) > MAX_PNG_BYTES
    ):
        return None
    try:
        return base64.b64decode(data_url.removeprefix(_PREFIX), validate=True) or None
    except (binascii.Error, ValueError):
        return None
