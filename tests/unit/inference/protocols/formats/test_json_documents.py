"""JSON documents: only objects of bounded cost are parsed."""

import pytest

from inference.errors import MalformedRequestError, RequestTooLargeError
from inference.protocols.formats.json_documents import (
    MAX_COMMAS,
    MAX_LISTS,
    has_booleans,
    parse_object,
)


def test_object_is_parsed() -> None:
    assert parse_object(b'{"a": [1, 2.5]}') == {"a": [1, 2.5]}


@pytest.mark.parametrize(
    "body",
    [b"", b"{", b"[1]", b"null", b'{"a": NaN}', b'{"a": Infinity}', b"\xff", b"[" * 5000,
     b'{"a":' * 5000],
)  # fmt: skip
def test_another_body_is_refused(body: bytes) -> None:
    with pytest.raises(MalformedRequestError):
        parse_object(body)


@pytest.mark.parametrize("body", [b"[" * (MAX_LISTS + 1), b"," * (MAX_COMMAS + 1)])
def test_body_of_more_numbers_than_images_have_is_refused_unparsed(body: bytes) -> None:
    with pytest.raises(RequestTooLargeError):
        parse_object(body)


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b'{"a": true}', True),
        (b'{"tree": [false, 1]}', True),
        (b"true", True),
        (b'{"name": [1e5, 2], "tru": 1, "else": 0, "e": null}', False),
        (b"", False),
        (b"e", False),
    ],
)
def test_booleans_are_found(data: bytes, *, expected: bool) -> None:
    assert has_booleans(data) == expected


def test_hint_is_part_of_the_error() -> None:
    with pytest.raises(MalformedRequestError, match=r"A hint\.$"):
        parse_object(b"x", "A hint.")
