"""A canvas to draw a digit on, with mouse or finger.

An own Streamlit component, its parts beside this file.
"""

import base64
import binascii
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import streamlit as st

_HERE = Path(__file__).parent
_PREFIX = "data:image/png;base64,"
# The canvas sends some 2 kB; what is far larger did not come from it.
MAX_PNG_BYTES = 100_000
# A pen sends some 100 a second.
MAX_POINTS = 20_000

_HTML = """
<div class="frame">
  <canvas data-part="canvas" role="img"></canvas>
  <div class="hint" data-part="hint" aria-hidden="true"></div>
</div>
<div class="buttons">
  <button type="button" data-part="undo"></button>
  <button type="button" data-part="clear"></button>
</div>
"""

_WORDS = {
    "label": "Drawing area for one digit. Without mouse or touch screen, upload an image instead.",
    "hint": "Draw a digit here",
    "undo": "Undo",
    "clear": "Clear",
}


@st.cache_resource(show_spinner=False)
def _component() -> Any:
    return st.components.v2.component(
        "digit_canvas",
        html=_HTML,
        css=(_HERE / "canvas.css").read_text(encoding="utf-8"),
        js=(_HERE / "canvas.js").read_text(encoding="utf-8"),
    )


def draw_digit(key: str) -> bytes | None:
    """Show the canvas and return the drawing as PNG, black on white; None while it is blank.

    The drawing is kept for the session, also while another page is looked at.
    """
    kept = f"{key}_kept"
    # A canvas that was just put up has said nothing yet: it is given what was drawn before.
    result = _component()(
        key=key,
        data={**_WORDS, "strokes": usable_strokes(st.session_state.get(kept))},
        on_drawing_change=lambda: None,
    )
    if result.drawing is not None:
        st.session_state[kept] = result.drawing
    drawing = st.session_state.get(kept)
    return decode_png(drawing.get("png")) if isinstance(drawing, Mapping) else None


def usable_strokes(drawing: object) -> list[list[list[float]]]:
    """Return the strokes of what the canvas sent (each a list of points of 0..1), none for anything
    that it does not send.
    """
    strokes = drawing.get("strokes") if isinstance(drawing, Mapping) else None
    if (
        not isinstance(strokes, list)
        or sum(len(stroke) if isinstance(stroke, list) else 1 for stroke in strokes) > MAX_POINTS
    ):
        return []
    is_usable = all(
        isinstance(stroke, list) and stroke and all(_is_point(point) for point in stroke)
        for stroke in strokes
    )
    return strokes if is_usable else []


def _is_point(point: object) -> bool:
    return (
        isinstance(point, list)
        and len(point) == len(("x", "y"))
        and all(isinstance(value, int | float) for value in point)
    )


def decode_png(data_url: object) -> bytes | None:
    """Turn the data URL of a PNG into its bytes; None for anything that the canvas does not send."""
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
