"""Requests of ordinary clients, whole and in chunks, and with every odd image."""

from collections.abc import Iterator
from dataclasses import replace

from tests.corpus.http_requests.message import (
    BOUNDARY,
    DIGIT,
    FIELDS,
    INFERENCE,
    MULTIPART,
    Header,
    Request,
    form,
    good,
    part,
    post,
)
from tests.corpus.images import odd_images, png


def images() -> Iterator[Request]:
    for image in odd_images():
        for path, field in FIELDS.items():
            status = image.status if path == INFERENCE else 200
            yield post(
                image.name, path, form(part(field, image.data)), status, is_plain=image.is_plain
            )
    for path, field in FIELDS.items():
        too_large = png(after=b"\x00" * 2**21)
        yield post(
            "2 MB and more", path, form(part(field, too_large)), 413 if path == INFERENCE else 200
        )


def clients(path: str) -> Iterator[Request]:
    """The same image as other programs send it."""
    field = FIELDS[path].encode()
    disposition = b'Content-Disposition: form-data; name="%b"; filename="seven.png"\r\n' % field
    typed = disposition + b"Content-Type: image/png\r\n\r\n" + DIGIT + b"\r\n"

    def client(name: str, boundary: bytes, body: bytes, *extra: Header) -> Request:
        return post(
            f"as {name}",
            path,
            body,
            200,
            content_type=MULTIPART + b"; boundary=" + boundary,
            extra=extra,
            is_plain=True,
        )

    dashes = b"-" * 24
    curl = dashes + b"d74496d66958873e"
    yield client("curl", curl, form(typed, boundary=curl), (b"user-agent", b"curl/8.5.0"))
    chrome = b"----WebKitFormBoundary7MA4YWxkTrZu0gW"
    yield client(
        "a browser", chrome, form(typed, boundary=chrome),
        (b"user-agent", b"Mozilla/5.0"), (b"origin", b"http://localhost:8501"),
        (b"referer", b"http://localhost:8501/"),
        (b"sec-fetch-mode", b"cors"), (b"accept-language", b"en"), (b"cookie", b"a=b"),
    )  # fmt: skip
    firefox = b"-" * 27 + b"9051914041544843365972754266"
    yield client(
        "another browser", firefox, form(typed, boundary=firefox), (b"user-agent", b"Mozilla/5.0")
    )
    yield client(
        "httpx",
        b"3e1c0a7d",
        form(typed, boundary=b"3e1c0a7d"),
        (b"user-agent", b"python-httpx/0.28.1"),
    )
    nameless = part("", DIGIT, disposition=b'form-data; name="%b"; filename="%b"' % (field, field))
    yield client("requests, a file without a name", BOUNDARY, form(nameless))
    axios = b"axios-1.7.2-boundary-Xk9"
    yield client(
        "axios",
        axios,
        form(typed, boundary=axios),
        (b"accept", b"application/json, text/plain, */*"),
    )
    swapped = (
        b"Content-Type: application/octet-stream\r\n" + disposition + b"\r\n" + DIGIT + b"\r\n"
    )
    yield client("aiohttp", b"77aa", form(swapped, boundary=b"77aa"))
    yield replace(
        client(
            "a client with its own request id", BOUNDARY, good(path), (b"x-request-id", b"run-42")
        ),
        is_plain=True,
    )
    for size in (1, 100, len(good(path)) - 1):
        yield replace(post(f"in chunks of {size}", path, good(path), 200), chunk_bytes=size)
    length = len(good(path))
    for size in (0, 50, length // 2, length - 3, length):
        cut = post(f"cut off after {size} bytes", path, good(path)[:size], length=b"%d" % length)
        yield replace(cut, is_cut_off=True)
