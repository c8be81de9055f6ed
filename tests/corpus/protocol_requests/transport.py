"""Mutations of every protocol's good request: its body, encoding, size, address and method."""

import functools
import gzip
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace

from tests.corpus.protocol_requests.message import (
    CANARY,
    DEPTH,
    MAX_REQUEST_BYTES,
    TOO_MUCH,
    BadRequest,
    Header,
)

BOMB_BYTES = 2**30
PIECE_BYTES = 2**20
OTHER_ENCODINGS = ("br", "zstd", "compress", "gzip, gzip", "deflate, gzip", CANARY)

Address = tuple[str, *tuple[int, ...]]


@dataclass(frozen=True)
class GoodRequest:
    """A request that a protocol answers, without the headers of its length."""

    path: str
    text: str
    headers: tuple[Header, ...] = ()

    def bad(self, name: str, body: bytes, *headers: Header) -> BadRequest:
        """Return the request with another body, and with further headers."""
        return BadRequest(name, self.path, body, (*self.headers, *headers))


def bodies(good: GoodRequest) -> Iterator[BadRequest]:
    """Bodies that are not a JSON object in UTF-8."""
    text = good.text
    broken = {
        "empty body": b"",
        "blanks": b" \n\t ",
        "word": CANARY.encode(),
        "form": f"a={CANARY}&b=1".encode(),
        "array": f"[{text}]".encode(),
        "JSON string": f'"{CANARY}"'.encode(),
        "JSON number": b"7",
        "null": b"null",
        "cut short": text[:-1].encode(),
        "two documents": f"{text}{text}".encode(),
        "single quotes": text.replace('"', "'").encode(),
        "invalid UTF-8": text[:-1].encode() + b',"x":"\xff\xfe"}',
        "overlong UTF-8": text[:-1].encode() + b',"x":"\xc0\x80"}',
        "UTF-16": text.encode("utf-16"),
        "NUL": b"\0" * 64,
        "control character in a string": text[:-1].encode() + b',"x":"\n"}',
        "lone surrogate": text[:-1].encode() + rb',"x":"\ud800"}',
        "NaN in an unknown member": text[:-1].encode() + b',"x":NaN}',
        "comma behind the last member": text[:-1].encode() + b",}",
        "nested lists": b"[" * DEPTH + b"]" * DEPTH,
        "nested lists in an unknown member": text[:-1].encode()
        + b',"x":'
        + b"[" * DEPTH
        + b"]" * DEPTH
        + b"}",
        "nested objects": b'{"a":' * DEPTH + b"1" + b"}" * DEPTH,
        "a million open brackets": b"[" * 10**6,
        "a million open objects": b'{"a":' * 10**6,
    }
    for name, body in broken.items():
        request = good.bad(f"body: {name}", body)
        yield replace(request, statuses=TOO_MUCH) if "million" in name else request


def encodings(good: GoodRequest) -> Iterator[BadRequest]:
    """Bodies that are not what Content-Encoding says, or are too large when decompressed."""
    body = good.text.encode()
    packed = {"gzip": gzip.compress(body), "deflate": zlib.compress(body)}
    for encoding, content in packed.items():
        header = ("Content-Encoding", encoding)
        yield good.bad(f"{encoding}: truncated", content[: len(content) // 2], header)
        yield good.bad(f"{encoding}: without its checksum", content[:-4], header)
        yield good.bad(f"{encoding}: only its header", content[:2], header)
        yield good.bad(f"{encoding}: not compressed", body, header)
        yield good.bad(f"{encoding}: wrong checksum", content[:-4] + b"\0\0\0\1", header)
        yield good.bad(f"{encoding}: empty body", b"", header)
        bomb = good.bad(f"{encoding}: bomb", _bomb(encoding), header)
        yield _refused(bomb, 413)
    yield good.bad("gzip: is deflate", packed["deflate"], ("Content-Encoding", "gzip"))
    yield good.bad("deflate: is gzip", packed["gzip"], ("Content-Encoding", "deflate"))
    for encoding in OTHER_ENCODINGS:
        request = good.bad(f"unknown encoding: {encoding}", body, ("Content-Encoding", encoding))
        yield _refused(request, 415, ("accept-encoding", "gzip"))


def limits(good: GoodRequest) -> Iterator[BadRequest]:
    """Bodies of more bytes than a request may have, or of no certain length."""
    large = good.text.encode() + b" " * MAX_REQUEST_BYTES
    yield _refused(good.bad("large body", large), 413)
    chunked = _refused(good.bad("large body in chunks", large), 413)
    yield replace(chunked, is_chunked=True)
    lengths = ("Content-Length", "1"), ("Content-Length", "2")
    yield good.bad("two lengths", b"ab", *lengths)
    yield good.bad("a word as length", b"ab", ("Content-Length", CANARY))
    announced = ("Content-Length", "9" * 15)
    yield _refused(good.bad("enormous Content-Length", b"", announced), 413)


def methods(good: GoodRequest, wrong: Sequence[str], allowed: str) -> Iterator[BadRequest]:
    """Wrong methods at an address."""
    for method in wrong:
        yield BadRequest(
            f"{method} {good.path}",
            good.path,
            headers=good.headers,
            method=method,
            statuses=frozenset({405}),
            answer_headers={"allow": allowed},
        )


def addresses(good: GoodRequest, paths: Iterable[Address]) -> Iterator[BadRequest]:
    """A good body at addresses of no model, with the correct statuses of each."""
    for path, *statuses in paths:
        yield BadRequest(
            f"address {path[:200]}",
            path,
            good.text.encode(),
            good.headers,
            statuses=frozenset(statuses),
        )


def _refused(request: BadRequest, status: int, header: Header | None = None) -> BadRequest:
    answer_headers = dict([header] if header else [])
    return replace(request, statuses=frozenset({status}), answer_headers=answer_headers)


@functools.cache
def _bomb(encoding: str) -> bytes:
    """Return a gigabyte of blanks, compressed to a megabyte: one block, many times."""
    compressor = zlib.compressobj(9, zlib.DEFLATED, -zlib.MAX_WBITS)
    block = compressor.compress(b" " * PIECE_BYTES) + compressor.flush(zlib.Z_FULL_FLUSH)
    head = b"\x1f\x8b\x08\0\0\0\0\0\0\x03" if encoding == "gzip" else b"\x78\x9c"
    return head + block * (BOMB_BYTES // PIECE_BYTES)
