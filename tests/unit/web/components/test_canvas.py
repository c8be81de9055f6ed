"""Messages of the drawing canvas."""

import base64
from typing import Any

import pytest

from web.components.canvas import MAX_PNG_BYTES, MAX_POINTS, decode_png, parse_strokes

PREFIX = "data:image/png;base64,"


def stroke(points: list[Any], width: Any = 0.08) -> dict[str, Any]:
    return {"width": width, "points": points}


def test_drawing_is_decoded() -> None:
    assert decode_png(PREFIX + base64.b64encode(b"png").decode()) == b"png"


@pytest.mark.parametrize(
    "value",
    [
        None,
        "",
        3,
        {},
        PREFIX,
        PREFIX + "%%%",
        "data:text/html;base64,AAAA",
        PREFIX + "A" * (MAX_PNG_BYTES + 1),
    ],
)
def test_invalid_drawing_is_a_blank_canvas(value: object) -> None:
    assert decode_png(value) is None


def test_strokes_are_returned_unchanged() -> None:
    strokes = [
        {"width": 0.08, "points": [[0.1, 0.2], [0.3, 1]]},
        {"width": 0.16, "points": [[0.5, 0.5]]},
    ]
    assert parse_strokes({"png": None, "strokes": strokes}) == strokes


@pytest.mark.parametrize(
    "strokes",
    [
        None,
        "x",
        [[]],
        [3],
        [{}],
        [stroke([])],
        [stroke([[1]])],
        [stroke([["a", "b"]])],
        [stroke([{"x": 1}])],
        [stroke([[0.1, 0.1]], width=0)],
        [stroke([[0.1, 0.1]], width="2")],
        [stroke([[0.1, 0.1]] * (MAX_POINTS + 1))],
        [3] * (MAX_POINTS + 1),
    ],
)
def test_invalid_strokes_are_dropped(strokes: object) -> None:
    assert (parse_strokes({"strokes": strokes}), parse_strokes(strokes)) == ([], [])
