"""JSON images: nested lists to pixels, and the path of whatever is wrong in them."""

from typing import Any

import numpy as np
import pytest

from inference.api.json_images import parse_document, parse_images
from inference.errors import InvalidValueError, MalformedRequestError, RequestTooLargeError

BLANK = [[0] * 28 for _ in range(28)]


def with_pixel(value: Any) -> dict[str, Any]:
    """Return a document of two images, the last pixel of the second with this value."""
    rows = [list(row) for row in BLANK]
    rows[27][27] = value
    return {"images": [BLANK, rows]}


def test_parse_images_returns_pixels() -> None:
    image = [[row + column for column in range(28)] for row in range(28)]
    [pixels] = parse_images({"images": [image]}, 1)
    assert pixels.dtype == np.uint8
    assert pixels.tolist() == image


@pytest.mark.parametrize("value", [0, 255, 7.0, 0.0])
def test_parse_images_accepts_whole_numbers(value: float) -> None:
    assert parse_images(with_pixel(value), 2)[1][27, 27] == value


@pytest.mark.parametrize(
    "value",
    [-1, 256, 10**400, 0.5, -0.5, float("nan"), float("inf"), True, None, "7", [1], {}],
)
def test_parse_images_of_a_bad_pixel_names_its_place(value: Any) -> None:
    with pytest.raises(InvalidValueError) as raised:
        parse_images(with_pixel(value), 2)
    assert raised.value.path == "images/1/27/27"


def test_parse_images_of_scaled_pixels_says_what_to_do() -> None:
    with pytest.raises(InvalidValueError, match="scaled to 0 to 1 by 255"):
        parse_images(with_pixel(0.5), 2)


@pytest.mark.parametrize(
    ("images", "path"),
    [
        ([], "images"),
        ([7], "images/0"),
        ([BLANK[1:]], "images/0"),
        ([BLANK, [*BLANK, [0] * 28]], "images/1"),
        ([BLANK, [[0] * 27, *BLANK[1:]]], "images/1/0"),
        ([[*BLANK[:27], "row"]], "images/0/27"),
        ([[0] * 784], "images/0"),
    ],
)
def test_parse_images_of_a_bad_shape_names_its_place(images: list[Any], path: str) -> None:
    with pytest.raises(InvalidValueError) as raised:
        parse_images({"images": images}, 2)
    assert raised.value.path == path


@pytest.mark.parametrize(
    "document", [None, [], {}, {"images": 7}, {"images": None}, {"images": [BLANK], "more": 1}]
)
def test_parse_images_of_another_document_raises(document: Any) -> None:
    with pytest.raises(MalformedRequestError):
        parse_images(document, 2)


def test_parse_images_over_the_limit_raises() -> None:
    with pytest.raises(RequestTooLargeError, match="at most 2 images"):
        parse_images({"images": [BLANK] * 3}, 2)


def test_parse_document_returns_json() -> None:
    assert parse_document(b'{"images": [1, 2]}', 1) == {"images": [1, 2]}
    assert parse_document(b"null", 1) is None


@pytest.mark.parametrize(
    "data", [b"", b"{", b"\xff", '{"a": 1}'.encode("utf-16"), b"[" * 20_000, b"9" * 5000]
)
def test_parse_document_of_anything_else_is_empty(data: bytes) -> None:
    assert parse_document(data, 1000) == {}


def test_parse_document_that_is_too_deep_or_wide_raises() -> None:
    lists, commas = 1 + 29, 29 + 28 * 28
    assert parse_document(b"[" * lists, 1) == {}
    assert parse_document(b"," * commas, 1) == {}
    for data in (b"[" * (lists + 1), b"," * (commas + 1)):
        with pytest.raises(RequestTooLargeError):
            parse_document(data, 1)
