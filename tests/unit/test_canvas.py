"""What comes from the canvas."""

import base64

import pytest

from web.canvas import MAX_PNG_BYTES, decode_png

PREFIX = "data:image/png;base64,"


def test_a_drawing_is_decoded() -> None:
    assert decode_png(PREFIX + base64.b64encode(b"png").decode()) == b"png"


@pytest.mark.parametrize(
    "value",
    [None, "", 3, {}, PREFIX, PREFIX + "%%%", "data:text/html;base64,AAAA", PREFIX + "A" * (MAX_PNG_BYTES + 1)],
)
def test_anything_else_is_a_blank_canvas(value: object) -> None:
    assert decode_png(value) is None
