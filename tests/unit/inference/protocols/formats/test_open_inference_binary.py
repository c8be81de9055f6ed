"""Binary tensors: the parts of a body, and elements of BYTES."""

import pytest

from inference.errors import MalformedRequestError
from inference.protocols.formats.open_inference_binary import (
    join_elements,
    split_body,
    split_elements,
)


def test_body_is_split_behind_the_json() -> None:
    for body, header, expected in (
        (b"{}tensor", b"2", (b"{}", b"tensor")),
        (b"tensor", b"0", (b"", b"tensor")),
    ):
        document, tensor = split_body(body, header)
        assert (document, bytes(tensor)) == expected


@pytest.mark.parametrize("header", [b"9", b"-1", b"", b"2.0", b"0x2", b"1" * 5000])
def test_length_that_lies_is_refused(header: bytes) -> None:
    with pytest.raises(MalformedRequestError, match="Inference-Header-Content-Length"):
        split_body(b"{}tensor", header)


def test_elements_are_split_as_they_are_joined() -> None:
    tensor = join_elements(["a", "", "ü"])
    assert tensor == b"\1\0\0\0a\0\0\0\0\2\0\0\0\xc3\xbc"
    assert split_elements(tensor, 3) == [b"a", b"", b"\xc3\xbc"]


@pytest.mark.parametrize(
    ("tensor", "count"),
    [
        (b"\1\0\0\0a", 2),
        (b"\1\0\0\0a\0\0\0\0", 1),
        (b"\2\0\0\0a", 1),
        (b"\1\0\0", 1),
        (b"\xff\xff\xff\xffa", 1),
        (b"", 1),
    ],
)
def test_elements_that_lie_are_refused(tensor: bytes, count: int) -> None:
    with pytest.raises(MalformedRequestError):
        split_elements(tensor, count)
