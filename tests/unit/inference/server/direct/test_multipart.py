"""Multipart requests: the usual form is read, anything unusual is left to the application."""

import pytest

from inference.server.direct.multipart import MAX_QUERY_BYTES, MultipartRequest
from inference.server.request_head import RequestHead

BOUNDARY = b"7d1e0f3a"
CONTENT_TYPE = b"multipart/form-data; boundary=" + BOUNDARY
PART = b'Content-Disposition: form-data; name="images"; filename="7.png"\r\n\r\nPNG\r\n'
OPEN, CLOSE = b"--" + BOUNDARY + b"\r\n", b"--" + BOUNDARY + b"--\r\n"


def head(content_type: bytes | None = CONTENT_TYPE, length: bytes | None = b"100") -> RequestHead:
    return RequestHead(content_type=content_type, content_length=length)


def files(body: bytes, field: bytes = b"images") -> list[bytes] | None:
    request = MultipartRequest.of(head(length=b"%d" % len(body)), b"", 10_000)
    assert request is not None
    return request.files(body, field)


def test_of_plain_head_has_query_and_length() -> None:
    request = MultipartRequest.of(head(), b"experiments=a@1&view=true&experiments=b", 100)
    assert request is not None
    assert request.query == {"experiments": ["a@1", "b"], "view": ["true"]}
    assert request.length == 100


@pytest.mark.parametrize(
    "unusual",
    [
        head(None),
        head(b"application/json"),
        head(b"multipart/form-data"),
        head(b'multipart/form-data; boundary="a"'),
        head(b"multipart/form-data; boundary=" + b"b" * 71),
        head(length=None),
        head(length=b""),
        head(length=b"0"),
        head(length=b"-1"),
        head(length=b"+5"),
        head(length=b"101"),
        head(length=b"9" * 13),
        RequestHead(content_type=CONTENT_TYPE, content_length=b"1", is_plain=False),
    ],
)
def test_of_unusual_head_is_none(unusual: RequestHead) -> None:
    assert MultipartRequest.of(unusual, b"", 100) is None


@pytest.mark.parametrize(
    "query", [b"a=%41", b"a", b"a=", b"=b", b"A=b", b"a=b&", b"&a=b", b"a=b+c", b"a=b;c=d"]
)
def test_of_query_that_needs_decoding_is_none(query: bytes) -> None:
    assert MultipartRequest.of(head(), query, 100) is None


def test_of_query_over_the_limit_is_none() -> None:
    assert MultipartRequest.of(head(), b"a=" + b"b" * (MAX_QUERY_BYTES - 2), 100) is not None
    assert MultipartRequest.of(head(), b"a=" + b"b" * (MAX_QUERY_BYTES - 1), 100) is None


def test_files_returns_the_content_of_each_part() -> None:
    typed = PART.replace(b"\r\n\r\nPNG", b"\r\nContent-Type: image/png\r\n\r\n\r\nP\r\n")
    assert files(OPEN + PART + CLOSE) == [b"PNG"]
    assert files(OPEN + PART + OPEN + typed + CLOSE) == [b"PNG", b"\r\nP\r\n"]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        CLOSE,
        OPEN + PART,
        OPEN + PART + CLOSE[:-2],
        OPEN + PART + CLOSE + b"epilogue",
        b"preamble\r\n" + OPEN + PART + CLOSE,
        OPEN + PART.replace(b"images", b"other") + CLOSE,
        OPEN + PART.replace(b"PNG", b"P--" + BOUNDARY + b"G") + CLOSE,
        OPEN + PART.replace(b'; filename="7.png"', b"") + CLOSE,
        OPEN + PART.replace(b"7.png", b'a\\"b') + CLOSE,
        OPEN + b"X-Other: 1\r\n" + PART + CLOSE,
        (OPEN + PART + CLOSE).replace(b"\r\n", b"\n"),
    ],
)
def test_files_of_unusual_body_is_none(body: bytes) -> None:
    request = MultipartRequest.of(head(length=b"%d" % max(1, len(body))), b"", 10_000)
    assert request is not None
    assert request.files(body, b"images") is None


def test_files_of_another_length_is_none() -> None:
    request = MultipartRequest.of(head(length=b"5"), b"", 100)
    assert request is not None
    assert request.files(OPEN + PART + CLOSE, b"images") is None
