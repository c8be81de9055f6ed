"""Requests with odd headers: encodings, lengths, hosts, and content types."""

import gzip
from collections.abc import Iterator
from dataclasses import replace

from tests.corpus.http_requests.message import (
    BASE,
    BOUNDARY,
    DIGIT,
    FIRST,
    JSON,
    MULTIPART,
    Header,
    Request,
    good,
    post,
)


def headers(path: str) -> Iterator[Request]:
    body = good(path)
    extra: dict[str, tuple[Header, ...]] = {
        "declared as gzip": ((b"content-encoding", b"gzip"),),
        "identity": ((b"content-encoding", b"identity"),),
        "an unknown encoding": ((b"content-encoding", b"nonsense"),),
        "chunked": ((b"transfer-encoding", b"chunked"),),
        "expect": ((b"expect", b"100-continue"),),
        "expect something else": ((b"expect", b"nonsense"),),
        "an upgrade": (
            (b"upgrade", b"h2c"),
            (b"connection", b"upgrade, http2-settings"),
            (b"http2-settings", b"AAMAAABk"),
        ),
        "another method in a header": ((b"x-http-method-override", b"DELETE"),),
        "a range": ((b"range", b"bytes=0-10"),),
        "a condition": (
            (b"if-none-match", b"*"),
            (b"if-modified-since", b"Sat, 21 Nov 2026 00:00:00 GMT"),
        ),
        "forwarded": (
            (b"x-forwarded-for", b"1.2.3.4"),
            (b"x-forwarded-proto", b"https"),
            (b"x-forwarded-prefix", b"/other"),
        ),
        "authorization": ((b"authorization", b"Bearer x"), (b"x-api-key", b"y")),
        "two authorizations": ((b"authorization", b"Bearer x"), (b"authorization", b"Basic eDp5")),
        "an invalid authorization": ((b"authorization", b"\xff"),),
        "a broken cookie": ((b"cookie", b'a="; b=\xff;;;'),),
        "no host": ((b"host", b""),),
        "another host": ((b"host", b"evil.example"),),
        "two hosts": ((b"host", b"localhost"), (b"host", b"evil.example")),
        "a page of another site": ((b"origin", b"https://evil.example"),),
        "a page of no site": ((b"origin", b"null"),),
        "an invalid host": ((b"host", b"a b<c>\xff"),),
        "bytes in a header": ((b"x-odd", b"\xff\x00\xfe"),),
        "a large header": ((b"x-large", b"a" * 60_000),),
        "500 headers": tuple((b"x-many-%d" % number, b"1") for number in range(500)),
        "an invalid request id": ((b"x-request-id", b"a b<script>"),),
        "two request ids": ((b"x-request-id", b"one"), (b"x-request-id", b"two")),
        "a trace": ((b"traceparent", b"00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"),),
        "a preflight's headers": (
            (b"origin", b"http://evil.example"),
            (b"access-control-request-method", b"POST"),
        ),
        "accept JSON": ((b"accept", b"application/json"),),
        "accept a picture only": ((b"accept", b"image/png"),),
        "accept no JSON": ((b"accept", b"application/json;q=0"),),
        "accept nonsense": ((b"accept", b";;;,q=\xff"),),
        "accept lines": ((b"accept", b"application/x-ndjson"),),
        "accept lines or JSON": ((b"accept", b"application/x-ndjson;q=0.5, application/json"),),
        "accept lines in capitals": ((b"accept", b"Application/X-NDJSON"),),
        "accept twice": ((b"accept", b"application/json"), (b"accept", b"application/x-ndjson")),
        "accept no coding": ((b"accept-encoding", b"identity;q=0"),),
        "accept in Latin": ((b"accept-language", b"la"), (b"accept-charset", b"utf-16")),
        "two types": (
            (b"content-type", MULTIPART + b"; boundary=" + BOUNDARY),
            (b"content-type", b"text/plain"),
        ),
        "two types, the other first": (
            (b"content-type", b"text/plain"),
            (b"content-type", MULTIPART + b"; boundary=" + BOUNDARY),
        ),
        "the same type twice": ((b"content-type", MULTIPART + b"; boundary=" + BOUNDARY),) * 2,
    }
    foreign = (
        "another host",
        "two hosts",
        "a page of another site",
        "a page of no site",
        "a preflight's headers",
    )
    for name, headers in extra.items():
        yield post(name, path, body, *([403] if name in foreign else []), extra=headers)
    yield post(
        "a body in gzip",
        path,
        gzip.compress(body, mtime=0),
        extra=((b"content-encoding", b"gzip"),),
    )
    lengths: dict[str, bytes | None] = {
        "no length": None,
        "length 0": b"0",
        "a length too short": b"100",
        "a length too long": b"100000",
        "a negative length": b"-1",
        "an invalid length": b"many",
        "a length with a sign": b"+%d" % len(body),
        "a length of 10^30": b"1" + b"0" * 30,
        "a length in other digits": "٣".encode(),
    }
    for name, length in lengths.items():
        yield post(name, path, body, length=length)
    twice = str(len(body)).encode()
    yield post(
        "two lengths",
        path,
        body,
        length=None,
        extra=((b"content-length", twice), (b"content-length", b"5")),
    )
    yield replace(post("no length, in chunks", path, body, length=None), chunk_bytes=50)
    chunked = post(
        "chunked, in chunks", path, body, length=None, extra=((b"transfer-encoding", b"chunked"),)
    )
    yield replace(chunked, chunk_bytes=50)
    bare = Request(
        f"{path.removeprefix(BASE + '/')}: no header at all",
        "POST",
        f"{path}?experiments={FIRST}".encode(),
        (),
        body,
    )
    yield bare


def types(path: str) -> Iterator[Request]:
    others = {
        "no type": None,
        "empty type": b"",
        "octets": b"application/octet-stream",
        "a picture": b"image/png",
        "urlencoded": b"application/x-www-form-urlencoded",
        "text": b"text/plain",
        "multipart/mixed": b"multipart/mixed; boundary=" + BOUNDARY,
        "multipart of any kind": b"multipart/*; boundary=" + BOUNDARY,
        "form-data and more": b"multipart/form-data-x; boundary=" + BOUNDARY,
        "two types in one": b"multipart/form-data, text/plain; boundary=" + BOUNDARY,
        "no slash": b"multipart; boundary=" + BOUNDARY,
        "bytes": b"\xff\xfe",
    }
    for name, content_type in others.items():
        yield post(f"type: {name}", path, good(path), 415, 400, content_type=content_type)
    yield post("type: JSON, the body not", path, good(path), 415, 400, content_type=JSON)
    yield post("an image without a form", path, DIGIT, 415, content_type=b"image/png")
