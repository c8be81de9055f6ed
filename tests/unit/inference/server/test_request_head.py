"""Request head: each header, its repetition, and whether the fast path may take the request."""

from typing import Any

import pytest

from inference.server.request_head import HARMLESS_HEADERS, RequestHead, encode_head

Pairs = list[tuple[bytes, bytes]]


def parse(*pairs: tuple[bytes, bytes]) -> RequestHead:
    return RequestHead.parse(pairs)


def test_parse_of_no_header_has_the_defaults() -> None:
    head = parse()
    assert head == RequestHead()
    assert (head.host, head.accept, head.content_length, head.source) == (None, b"*/*", None, None)
    assert head.is_plain


@pytest.mark.parametrize(
    ("name", "attribute"),
    [
        (b"host", "host"),
        (b"origin", "origin"),
        (b"x-request-id", "request_id"),
        (b"user-agent", "user_agent"),
        (b"x-api-key", "api_key"),
        (b"accept", "accept"),
        (b"content-type", "content_type"),
        (b"content-length", "content_length"),
    ],
)
def test_parse_of_a_known_header_keeps_its_value(name: bytes, attribute: str) -> None:
    head = parse((name, b"value"))
    assert getattr(head, attribute) == b"value"
    assert head.is_plain


@pytest.mark.parametrize("name", sorted(HARMLESS_HEADERS))
def test_parse_of_a_harmless_header_stays_plain(name: bytes) -> None:
    assert parse((name, b"value"), (name, b"value")).is_plain


@pytest.mark.parametrize(
    ("pairs", "attribute", "value", "is_plain"),
    [
        ([(b"host", b"a"), (b"host", b"b")], "host", b"a,b", False),
        ([(b"host", b""), (b"host", b"b")], "host", b"b", True),
        ([(b"origin", b"a"), (b"origin", b"b")], "origin", b"a,b", False),
        ([(b"x-request-id", b"a"), (b"x-request-id", b"b")], "request_id", b"a", False),
        ([(b"user-agent", b"a"), (b"user-agent", b"b")], "user_agent", b"b", True),
        ([(b"x-api-key", b"a"), (b"x-api-key", b"b")], "api_key", b"b", True),
        ([(b"accept", b"a/a"), (b"accept", b"b/b")], "accept", b"b/b", False),
        ([(b"accept", b"*/*"), (b"accept", b"b/b")], "accept", b"b/b", True),
        ([(b"content-type", b"a"), (b"content-type", b"b")], "content_type", b"b", False),
        ([(b"content-length", b"1"), (b"content-length", b"2")], "content_length", b"2", False),
    ],
)
def test_parse_of_a_repeated_header(
    pairs: Pairs,
    attribute: str,
    value: bytes,
    is_plain: bool,  # noqa: FBT001
) -> None:
    head = parse(*pairs)
    assert (getattr(head, attribute), head.is_plain) == (value, is_plain)


@pytest.mark.parametrize(
    ("pair", "expected"),
    [
        ((b"content-encoding", b"gzip"), {"is_encoded": True}),
        ((b"content-encoding", b" Identity "), {"is_encoded": False}),
        ((b"transfer-encoding", b" Chunked "), {"is_chunked": True}),
        ((b"transfer-encoding", b"gzip, chunked"), {"is_chunked": False}),
        ((b"authorization", b"Bearer x"), {}),
        ((b"expect", b"100-continue"), {}),
    ],
)
def test_parse_of_another_header_is_not_plain(
    pair: tuple[bytes, bytes], expected: dict[str, Any]
) -> None:
    head = parse(pair)
    assert not head.is_plain
    assert {name: getattr(head, name) for name in expected} == expected


def test_source_is_the_first_product_of_the_user_agent() -> None:
    assert parse((b"user-agent", b"curl/8.5.0 (x86)")).source == "curl/8.5.0"
    assert parse((b"user-agent", b"(none)")).source is None


def test_encoded_head_has_no_upgrade() -> None:
    headers = [(b"host", b"a"), (b"upgrade", b"h2c"), (b"x", b""), (b"upgrade", b"websocket")]
    head = encode_head(b"POST", b"/a?b", b"1.1", headers)
    assert head == b"POST /a?b HTTP/1.1\r\nhost: a\r\nx: \r\n\r\n"
