"""Content encoding: bodies are unpacked within a bound."""

import gzip
import tracemalloc
import zlib

import pytest

from inference.errors import MalformedRequestError, RequestTooLargeError
from inference.protocols.errors import CompressionError
from inference.protocols.formats.content_encoding import unpack


@pytest.mark.parametrize(
    ("encoding", "packed"),
    [(b"gzip", gzip.compress(b"body", mtime=0)), (b" GZIP ", gzip.compress(b"body", mtime=0)),
     (b"deflate", zlib.compress(b"body"))],
)  # fmt: skip
def test_body_is_unpacked(encoding: bytes, packed: bytes) -> None:
    assert unpack(packed, encoding, 4) == b"body"


@pytest.mark.parametrize(
    ("encoding", "packed"),
    [
        (b"gzip", b"body"),
        (b"gzip", b""),
        (b"gzip", gzip.compress(b"body", mtime=0)[:-1]),
        (b"gzip", gzip.compress(b"body", mtime=0) + b"more"),
        (b"gzip", zlib.compress(b"body")),
        (b"deflate", gzip.compress(b"body", mtime=0)),
    ],
)
def test_body_of_another_kind_is_refused(encoding: bytes, packed: bytes) -> None:
    with pytest.raises(MalformedRequestError):
        unpack(packed, encoding, 100)


@pytest.mark.parametrize("encoding", [b"br", b"gzip, gzip", b""])
def test_another_encoding_is_refused(encoding: bytes) -> None:
    with pytest.raises(CompressionError) as caught:
        unpack(b"", encoding, 100)
    assert caught.value.headers == [(b"accept-encoding", b"gzip, deflate")]


def test_bomb_takes_no_more_memory_than_its_limit() -> None:
    bomb = gzip.compress(bytes(100_000_000))
    tracemalloc.start()
    try:
        with pytest.raises(RequestTooLargeError):
            unpack(bomb, b"gzip", 1_000_000)
        assert tracemalloc.get_traced_memory()[1] < 3_000_000
    finally:
        tracemalloc.stop()
