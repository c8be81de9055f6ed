"""Corpus of HTTP requests to predict: good, odd and hostile, in the form of an ASGI server.

They ask for the experiments named here. Other experiments do not matter.
"""

import gzip
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, replace

from tests.conftest import digit_png
from tests.corpus.images import odd_images, png

FIRST, SECOND = (
    "mnist_experiment_1__softmax_regression",
    "mnist_experiment_28__deep_cnn_8_16_32_short",
)
FAILING = "failing"  # a model that cannot be served
BASE = "/api/v1.0"
INFERENCE, PREDICTIONS = f"{BASE}/inference", f"{BASE}/predictions"
FIELDS = {INFERENCE: "image_blob", PREDICTIONS: "images"}
BOUNDARY = b"7d1e0f3a9c5b4e2d8a6f1c3b5d7e9f0a"
DIGIT = digit_png("7")
METHODS = {"GET", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"}
MULTIPART, JSON = b"multipart/form-data", b"application/json"

Header = tuple[bytes, bytes]


@dataclass(frozen=True)
class Request:
    """A request.

    `target` is the path and query of the request line. `headers` are in lower case, as in ASGI.
    `statuses` are the correct ones, empty where several behaviors are equally good. `is_plain`
    marks requests of ordinary clients.
    """

    name: str
    method: str
    target: bytes
    headers: tuple[Header, ...]
    body: bytes
    statuses: frozenset[int] = frozenset()
    chunk_bytes: int | None = None  # size of the pieces in which the body arrives
    is_broken_off: bool = False  # the client disconnects before the body ends
    is_plain: bool = False

    @property
    def is_sendable(self) -> bool:
        """Whether it can be sent over a connection, and ends."""
        lengths = [value for name, value in self.headers if name == b"content-length"]
        is_odd = any(
            name in {b"transfer-encoding", b"expect", b"upgrade"} for name, _ in self.headers
        )
        is_text = all(
            re.fullmatch(rb"[!-~]+: [!-~]([ -~]*[!-~])?", b"%b: %b" % header)
            for header in self.headers
        )
        is_line = self.method in METHODS and re.fullmatch(rb"/[!-~]*", self.target) is not None
        return (
            lengths == [b"%d" % len(self.body)]
            and is_line
            and is_text
            and not is_odd
            and not self.is_broken_off
        )

    def on_wire(self) -> bytes:
        """Return the bytes to send."""
        lines = b"".join(b"%b: %b\r\n" % header for header in self.headers)
        return b"%b %b HTTP/1.1\r\n%b\r\n%b" % (self.method.encode(), self.target, lines, self.body)


def part(
    name: str,
    data: bytes,
    *,
    disposition: bytes | None = None,
    before: bytes = b"",
    behind: bytes = b"",
    line: bytes = b"\r\n",
) -> bytes:
    """Return a part as `requests` writes it.

    The Content-Disposition may be replaced, and headers may be added before and behind it.
    """
    value = (
        disposition
        if disposition is not None
        else b'form-data; name="%b"; filename="7.png"' % name.encode()
    )
    own = b"Content-Disposition: " + value + line if value else b""
    return before + own + behind + line + data + line


def form(
    *parts: bytes, boundary: bytes = BOUNDARY, line: bytes = b"\r\n", end: bytes | None = None
) -> bytes:
    """Return parts as a multipart body."""
    closing = b"--" + boundary + b"--" + line if end is None else end
    return b"".join(b"--" + boundary + line + content for content in parts) + closing


def post(
    name: str,
    path: str,
    body: bytes,
    *statuses: int,
    query: bytes | None = None,
    content_type: bytes | None = MULTIPART + b"; boundary=" + BOUNDARY,
    extra: tuple[Header, ...] = (),
    length: bytes | None = b"",
    is_plain: bool = False,
) -> Request:
    """Return a POST as `requests` sends it.

    `length` replaces the Content-Length, and None removes it.
    """
    query_string = (
        (b"experiment_name=" if path == INFERENCE else b"experiments=") + FIRST.encode()
        if query is None
        else query
    )
    headers = [
        (b"host", b"localhost:9090"),
        (b"user-agent", b"python-requests/2.32.3"),
        (b"accept-encoding", b"gzip, deflate"),
        (b"accept", b"*/*"),
        (b"connection", b"keep-alive"),
    ]
    if length is not None:
        headers.append((b"content-length", length or str(len(body)).encode()))
    if content_type is not None:
        headers.append((b"content-type", content_type))
    replaced = {key for key, _ in extra}
    kept = tuple(header for header in headers if header[0] not in replaced)
    target = path.encode() + (b"?" + query_string if query_string else b"")
    short = f"{path.removeprefix(BASE + '/')}: {name}"
    return Request(
        short, "POST", target, kept + extra, body, frozenset(statuses), is_plain=is_plain
    )


def good(path: str) -> bytes:
    """Return the body of a plain request."""
    return form(part(FIELDS[path], DIGIT))


def _images() -> Iterator[Request]:
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


def _clients(path: str) -> Iterator[Request]:
    """Yield the same image as other clients send it."""
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
        (b"user-agent", b"Mozilla/5.0"),
        (b"origin", b"http://localhost:8501"), (b"referer", b"http://localhost:8501/"),
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
            "a caller with its own request id", BOUNDARY, good(path), (b"x-request-id", b"run-42")
        ),
        is_plain=True,
    )
    for size in (1, 100, len(good(path)) - 1):
        yield replace(post(f"in pieces of {size}", path, good(path), 200), chunk_bytes=size)
    length = len(good(path))
    for size in (0, 50, length // 2, length - 3, length):
        cut = post(f"broken off after {size} bytes", path, good(path)[:size], length=b"%d" % length)
        yield replace(cut, is_broken_off=True)


def _boundaries(path: str) -> Iterator[Request]:
    field = FIELDS[path]

    def bounded(name: str, parameter: bytes, boundary: bytes, *statuses: int) -> Request:
        return post(
            name,
            path,
            form(part(field, DIGIT), boundary=boundary),
            *statuses,
            content_type=MULTIPART + parameter,
        )

    yield bounded("quoted boundary", b'; boundary="abc"', b"abc", 200)
    yield bounded("quoted boundary with a space", b'; boundary="a b"', b"a b")
    yield bounded("quoted boundary with a backslash", rb'; boundary="a\"b"', b'a"b')
    yield bounded("boundary of odd characters", b"; boundary='()+_,-./:=?", b"'()+_,-./:=?")
    yield bounded("boundary of one character", b"; boundary=x", b"x", 200)
    yield bounded("boundary of 70 characters", b"; boundary=" + b"b" * 70, b"b" * 70, 200)
    yield bounded("boundary of 71 characters", b"; boundary=" + b"b" * 71, b"b" * 71)
    yield bounded("boundary of 5000 characters", b"; boundary=" + b"b" * 5000, b"b" * 5000, 400)
    yield bounded("boundary of dashes", b"; boundary=----", b"----")
    yield bounded("boundary of bytes", b"; boundary=\xe9\xff", b"\xe9\xff")
    yield bounded("boundary with a line end", b"; boundary=a\r\nb", b"a\r\nb")
    yield bounded("no boundary", b"", BOUNDARY, 400)
    yield bounded("empty boundary", b"; boundary=", b"", 400)
    yield bounded("empty quoted boundary", b'; boundary=""', b"", 400)
    yield bounded("boundary of another case", b"; boundary=ABC", b"abc", 400)
    yield bounded("another boundary", b"; boundary=abc", b"xyz", 400)
    yield bounded("boundary that is the body's beginning", b"; boundary=ab", b"abc", 400)
    yield bounded("two boundaries", b"; boundary=abc; boundary=xyz", b"xyz")
    yield bounded("boundary with a star", b"; boundary*=utf-8''abc", b"abc")
    yield bounded("boundary with a space before it", b"; boundary= abc", b"abc")
    yield bounded("boundary with a space behind it", b"; boundary=abc ", b"abc")
    yield bounded("no space before the boundary", b";boundary=abc", b"abc", 200)
    yield bounded("tabs before the boundary", b";\t\tboundary=abc", b"abc")
    yield bounded("boundary's name in capitals", b"; BOUNDARY=abc", b"abc", 200)
    yield bounded("a parameter before the boundary", b"; charset=utf-8; boundary=abc", b"abc")
    yield bounded("a parameter behind the boundary", b"; boundary=abc; charset=utf-8", b"abc")
    yield bounded("a charset that is none", b"; boundary=abc; charset=nonsense", b"abc")
    yield bounded("a charset that fails", b"; boundary=abc; charset=idna", b"abc")
    yield bounded("UTF-16", b"; boundary=abc; charset=utf-16", b"abc")
    yield bounded("semicolons only", b";;; boundary=abc;;", b"abc")
    for name, content_type in {
        "multipart in capitals": b"MULTIPART/Form-Data; boundary=" + BOUNDARY,
        "multipart with a space before it": b" " + MULTIPART + b"; boundary=" + BOUNDARY,
    }.items():
        yield post(name, path, good(path), content_type=content_type)


def _bodies(path: str) -> Iterator[Request]:
    """Yield multipart bodies with unusual framing."""
    field = FIELDS[path]
    image = part(field, DIGIT)
    body = form(image)
    close = b"--" + BOUNDARY + b"--"
    framed = {
        "preamble": b"This is a message in multipart format.\r\n" + body,
        "line end before the first boundary": b"\r\n" + body,
        "epilogue": body + b"An epilogue.\r\n",
        "a second message behind": body + body,
        "no line end at the end": form(image, end=close),
        "garbage right behind the end": form(image, end=close + b"garbage"),
        "one dash at the end": form(image, end=close[:-1]),
        "no final boundary": form(image, end=b""),
        "cut within the final boundary": form(image, end=close[:9]),
        "cut within the image": body[: len(body) // 2],
        "cut within the part's headers": body[:60],
        "cut before the image": body[: body.index(b"\r\n\r\n") + 4],
        "only a final boundary": close + b"\r\n",
        "only a boundary": b"--" + BOUNDARY + b"\r\n",
        "empty body": b"",
        "line ends without CR": form(part(field, DIGIT, line=b"\n"), line=b"\n"),
        "CR without LF": form(part(field, DIGIT, line=b"\r"), line=b"\r"),
        "spaces behind the boundary": body.replace(BOUNDARY + b"\r\n", BOUNDARY + b" \t\r\n", 1),
        "letters behind the boundary": body.replace(BOUNDARY + b"\r\n", BOUNDARY + b"x\r\n", 1),
        "three dashes before the boundary": b"-" + body,
        "one dash before the boundary": body[1:],
        "boundary within the data": form(part(field, DIGIT + b"--" + BOUNDARY)),
        "boundary within the data, in a line": form(
            part(field, DIGIT + b"\r\n--" + BOUNDARY + b"x" + DIGIT)
        ),
        "boundary within the data, after LF": form(
            part(field, DIGIT + b"\n--" + BOUNDARY + b"\nx")
        ),
        "end within the data": form(part(field, DIGIT + b"\r\n" + close + b"\r\n")),
        "data that ends with a line end": form(part(field, DIGIT + b"\r\n")),
        "data that ends with CR": form(part(field, DIGIT + b"\r")),
        "data that ends with dashes": form(part(field, DIGIT + b"\r\n--")),
        "zeros only": bytes(500),
        "1200 parts": form(*[part(field, b"")] * 1200),
        "1200 fields": form(
            *[
                part(f"f{number}", b"", disposition=b'form-data; name="f"')
                for number in range(1200)
            ],
            image,
        ),
        "1 MB of part headers": form(
            part(field, DIGIT, before=b"X-Large: " + b"a" * 2**20 + b"\r\n")
        ),
        "2000 part headers": form(part(field, DIGIT, before=b"X-Many: 1\r\n" * 2000)),
    }
    fine = {
        "epilogue",
        "no line end at the end",
        "data that ends with a line end",
        "data that ends with CR",
    }
    for name, raw in framed.items():
        yield post(name, path, raw, *([200] if name in fine else []))


def _parts(path: str) -> Iterator[Request]:
    """Yield parts with unusual headers, and unusual numbers of parts."""
    field = FIELDS[path]
    quoted = b'form-data; name="%b"' % field.encode()
    dispositions = {
        "no filename": quoted,
        "empty filename": quoted + b'; filename=""',
        "filename without quotes": quoted + b"; filename=7.png",
        "filename with a star": quoted + b"; filename*=UTF-8''%e2%82%ac.png",
        "filename both ways": quoted + b"; filename=\"a.png\"; filename*=UTF-8''b.png",
        "filename with a star that is broken": quoted + b"; filename*=nonsense",
        "filename with quotes": quoted + rb'; filename="a\"b.png"',
        "filename with an open quote": quoted + b'; filename="a.png',
        "filename with a backslash": quoted + rb'; filename="C:\digits\7.png"',
        "filename that ends with a backslash": quoted + rb'; filename="a\"',
        "filename with a semicolon": quoted + b'; filename="a;b.png"',
        "filename that names the field": b'form-data; name="other"; filename="x; name='
        + field.encode()
        + b'"',
        "filename that names another field": quoted + rb'; filename="a\"; name=\"other"',
        "filename in UTF-8": quoted + b'; filename="\xe2\x82\xac\xf0\x9f\x98\x80.png"',
        "filename in Latin-1": quoted + b'; filename="\xe9\xff.png"',
        "filename with a line end": quoted + b'; filename="a\nb.png"',
        "filename with CR LF": quoted + b'; filename="a\r\nX: b.png"',
        "filename with a zero": quoted + b'; filename="a\x00.png"',
        "filename with a path": quoted + b'; filename="../../etc/passwd"',
        "filename of 10,000 letters": quoted + b'; filename="' + b"a" * 10_000 + b'"',
        "filename first": b'form-data; filename="a.png"; name="%b"' % field.encode(),
        "name without quotes": b"form-data; name=%b; filename=a" % field.encode(),
        "name in capitals": b'form-data; name="%b"; filename="a"' % field.upper().encode(),
        "name with a space": b'form-data; name="%b "; filename="a"' % field.encode(),
        "name with brackets": b'form-data; name="%b[]"; filename="a"' % field.encode(),
        "name with a star": b"form-data; name*=utf-8''%b; filename=\"a\"" % field.encode(),
        "name percent-encoded": b'form-data; name="%%69%b"; filename="a"' % field[1:].encode(),
        "name twice": quoted + b'; name="other"; filename="a"',
        "another name": b'form-data; name="other"; filename="a"',
        "the other operation's name": b'form-data; name="%b"; filename="a"'
        % (b"images" if path == INFERENCE else b"image_blob"),
        "empty name": b'form-data; name=""; filename="a"',
        "no name": b'form-data; filename="a"',
        "attachment": b'attachment; name="%b"; filename="a"' % field.encode(),
        "disposition in capitals": b'FORM-DATA; NAME="%b"; FILENAME="a"' % field.encode(),
        "disposition with an unknown parameter": quoted + b'; filename="a"; size=7',
        "disposition without spaces": b'form-data;name="%b";filename="a"' % field.encode(),
        "empty disposition": b" ",
        "no disposition": b"",
    }
    refused = {
        "another name",
        "the other operation's name",
        "filename that names the field",
        "empty name",
        "name in capitals",
    }
    taken = {
        "filename without quotes",
        "filename first",
        "filename with a path",
        "filename in UTF-8",
        "filename with a semicolon",
    }
    elsewhere = b'X-Other: form-data; name="%b"; filename="7.png"\r\n' % field.encode()
    for place in ("before", "behind"):
        hidden = part("other", DIGIT, **{place: elsewhere})
        yield post(f"another name, the right one in a header {place}", path, form(hidden), 400)
    for name, disposition in dispositions.items():
        statuses = [400] if name in refused else [200] if name in taken else []
        yield post(name, path, form(part(field, DIGIT, disposition=disposition)), *statuses)

    headers = {
        "part of a type": b"Content-Type: image/png\r\n",
        "part of a wrong type": b"Content-Type: text/html\r\n",
        "part of a type with a charset": b"Content-Type: text/plain; charset=utf-16\r\n",
        "part of a charset that is none": b"Content-Type: image/png; charset=nonsense\r\n",
        "part of a type that is none": b"Content-Type: \x00\xff\r\n",
        "part that is a multipart": b"Content-Type: multipart/mixed; boundary=x\r\n",
        "part in base64, it says": b"Content-Transfer-Encoding: base64\r\n",
        "part in binary": b"Content-Transfer-Encoding: binary\r\n",
        "part in quoted-printable, it says": b"Content-Transfer-Encoding: quoted-printable\r\n",
        "part with a length": b"Content-Length: %d\r\n" % len(DIGIT),
        "part with a wrong length": b"Content-Length: 3\r\n",
        "part with an unknown header": b"X-Anything: yes\r\n",
        "part with a header without a colon": b"nonsense\r\n",
        "part with an empty header name": b": value\r\n",
        "part with a space before the colon": b"X-Odd : value\r\n",
        "part with a folded header": b"X-Folded: one\r\n two\r\n",
        "part with two dispositions": b'Content-Disposition: form-data; name="other"\r\n',
        "part with a zero in a header": b"X-Zero: a\x00b\r\n",
    }
    for name, line in headers.items():
        yield post(name, path, form(part(field, DIGIT, behind=line)))
    for name in ("part of a type", "part with two dispositions"):
        yield post(f"{name}, first", path, form(part(field, DIGIT, before=headers[name])))
    lower = part(field, DIGIT).replace(b"Content-Disposition", b"content-disposition")
    yield post("part header in small letters", path, form(lower), 200)
    yield post(
        "part header without a space", path, form(part(field, DIGIT).replace(b": ", b":", 1)), 200
    )

    image, other = part(field, DIGIT), part("other", DIGIT)
    text = part(field, b"text", disposition=quoted)
    several = {
        "a file and another file": [image, other],
        "another file and a file": [other, image],
        "a file and a text": [image, part("note", b"text", disposition=b'form-data; name="note"')],
        "a file and a text of its name": [image, text],
        "a text of its name and a file": [text, image],
        "only a text of its name": [text],
        "the experiment as a field": [
            image,
            part("", FIRST.encode(), disposition=b'form-data; name="experiment_name"'),
        ],
        "no part": [],
    }
    for name, parts in several.items():
        yield post(
            name,
            path,
            form(*parts),
            *([400] if name in ("only a text of its name", "no part") else []),
        )
    yield post("the file twice", path, form(image, image), 400 if path == INFERENCE else 200)


def _headers(path: str) -> Iterator[Request]:
    body = good(path)
    extra: dict[str, tuple[Header, ...]] = {
        "gzip, it says": ((b"content-encoding", b"gzip"),),
        "identity": ((b"content-encoding", b"identity"),),
        "an encoding that is none": ((b"content-encoding", b"nonsense"),),
        "chunked": ((b"transfer-encoding", b"chunked"),),
        "expect": ((b"expect", b"100-continue"),),
        "expect something else": ((b"expect", b"nonsense"),),
        "an upgrade": (
            (b"upgrade", b"h2c"),
            (b"connection", b"upgrade, http2-settings"),
            (b"http2-settings", b"AAMAAABk"),
        ),
        "another method, it says": ((b"x-http-method-override", b"DELETE"),),
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
        "authorization that is none": ((b"authorization", b"\xff"),),
        "a broken cookie": ((b"cookie", b'a="; b=\xff;;;'),),
        "no host": ((b"host", b""),),
        "another host": ((b"host", b"evil.example"),),
        "two hosts": ((b"host", b"localhost"), (b"host", b"evil.example")),
        "a page of another site": ((b"origin", b"https://evil.example"),),
        "a page of no site": ((b"origin", b"null"),),
        "a host that is none": ((b"host", b"a b<c>\xff"),),
        "bytes in a header": ((b"x-odd", b"\xff\x00\xfe"),),
        "a large header": ((b"x-large", b"a" * 60_000),),
        "500 headers": tuple((b"x-many-%d" % number, b"1") for number in range(500)),
        "a request id that is none": ((b"x-request-id", b"a b<script>"),),
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
        "a length that is none": b"many",
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
    yield replace(post("no length, in pieces", path, body, length=None), chunk_bytes=50)
    chunked = post(
        "chunked, in pieces", path, body, length=None, extra=((b"transfer-encoding", b"chunked"),)
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


def _types(path: str) -> Iterator[Request]:
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


def _names(path: str) -> Iterator[Request]:
    """Yield requests with all kinds of experiment names."""
    key = b"experiment_name=" if path == INFERENCE else b"experiments="
    first = FIRST.encode()
    values: dict[str, tuple[bytes, tuple[int, ...]]] = {
        "unknown name": (b"nobody", (404,)),
        "failing model": (FAILING.encode(), (503,)),
        "second experiment": (SECOND.encode(), (200,)),
        "empty name": (b"", (400,)),
        "version 1": (first + b"@1", (200,)),
        "version 1, encoded": (first + b"%401", (200,)),
        "version 99": (first + b"@99", (404,)),
        "version 0": (first + b"@0", (400, 404)),
        "version -1": (first + b"@-1", (400, 404)),
        "version 01": (first + b"@01", (200, 400, 404)),
        "version of 5000 digits": (first + b"@" + b"9" * 5000, (400, 404)),
        "version in other digits": (first + b"@%D9%A1", (400, 404)),
        "version that is empty": (first + b"@", (400, 404)),
        "two versions": (first + b"@1@1", (400, 404)),
        "an alias": (first + b"@champion", (200, 404)),
        "champion": (b"champion", (200, 404)),
        "all": (b"all", (200,) if path == PREDICTIONS else (400,)),
        "ALL": (b"ALL", (404,)),
        "all and a version": (b"all@1", (400, 404)),
        "name in capitals": (first.upper(), (404,)),
        "name that begins a name": (first[:-1], (404,)),
        "name percent-encoded": (b"".join(b"%%%02x" % byte for byte in first), (200,)),
        "underscores percent-encoded": (first.replace(b"_", b"%5f"), (200,)),
        "name encoded twice": (first.replace(b"_", b"%255F"), (400,)),
        "name with a plus": (first + b"+", (400,)),
        "name with an encoded plus": (first + b"%2B", (400,)),
        "space behind": (first + b"%20", (400,)),
        "newline behind": (first + b"%0A", (400,)),
        "zero behind": (first + b"%00", (400,)),
        "two dots": (b"../../etc/passwd", (400,)),
        "two dots, encoded": (b"%2e%2e%2fmodels", (400,)),
        "slash": (b"a/b", (400,)),
        "emoji": ("😀".encode(), (400,)),
        "emoji, encoded": (b"%F0%9F%98%80", (400,)),
        "bytes that are not UTF-8": (b"%ff%fe", (400,)),
        "raw bytes": (b"\xff\xfe", (400,)),
        "broken percent": (first + b"%zz", (400,)),
        "half a percent": (first + b"%", (400,)),
        "10,000 letters": (b"a" * 10_000, (400,)),
        "128 letters": (b"a" * 128, (404,)),
        "129 letters": (b"a" * 129, (400,)),
        "SQL": (b"'%20OR%201=1;--", (400,)),
        "HTML": (b"<script>", (400,)),
        "two names in one": (
            first + b"," + SECOND.encode(),
            (200,) if path == PREDICTIONS else (400,),
        ),
        "a semicolon": (first + b";x=1", (400,)),
        "digits of another script": ("١٢٣".encode(), (400,)),
        "full width letters": ("\uff41".encode(), (400,)),
        "a dash first": (b"-x", (400,)),
        "a dot first": (b".hidden", (400,)),
    }
    for name, (value, statuses) in values.items():
        # POST /inference may accept versions and aliases, or reject them.
        others = (400,) if path == INFERENCE and ("version" in name or "alias" in name) else ()
        yield post(f"name: {name}", path, good(path), *statuses, *others, query=key + value)


def _queries(path: str) -> Iterator[Request]:
    key, first = b"experiment_name=" if path == INFERENCE else b"experiments=", FIRST.encode()
    is_optional = path == PREDICTIONS
    good_query = key + first
    queries: dict[str, tuple[bytes, tuple[int, ...]]] = {
        "none": (b"", (200,) if is_optional else (400,)),
        "no value": (key[:-1], (400,)),
        "unknown parameter": (good_query + b"&more=1", (400,)),
        "unknown parameter without a value": (good_query + b"&more", ()),
        "ampersands": (b"&&" + good_query + b"&", ()),
        "an equals sign": (good_query + b"&=", ()),
        "key percent-encoded": (key.replace(b"e", b"%65", 1) + first, (200,)),
        "key in capitals": (key.upper() + first, (400,)),
        "key with brackets": (key[:-1] + b"[]=" + first, (400,)),
        "the other operation's key": (
            (b"experiments=" if path == INFERENCE else b"experiment_name=") + first,
            (400,),
        ),
        "a fragment": (good_query + b"%23x", (400,)),
        "a question mark": (b"?" + good_query, (400,)),
        "a newline": (good_query + b"%0d%0aX:%20y", (400,)),
        "1000 parameters": (
            good_query + b"".join(b"&p%d=1" % number for number in range(1000)),
            (400,),
        ),
    }
    for name, (query, statuses) in queries.items():
        yield post(f"query: {name}", path, good(path), *statuses, query=query)
    if not is_optional:
        for name, query in {
            "name twice": good_query + b"&" + good_query,
            "two names": good_query + b"&" + key + SECOND.encode(),
            "a good and a bad name": good_query + b"&" + key + b"nobody",
            "view": good_query + b"&view=true",
        }.items():
            yield post(f"query: {name}", path, good(path), query=query)


def _predictions() -> Iterator[Request]:
    """Yield requests that only POST /predictions accepts."""
    first, second, failing = (b"experiments=" + name.encode() for name in (FIRST, SECOND, FAILING))
    unknown = b"experiments=nobody"
    queries: dict[str, tuple[bytes, tuple[int, ...]]] = {
        "two experiments": (first + b"&" + second, (200,)),
        "two experiments, the other first": (second + b"&" + first, (200,)),
        "the same experiment twice": (first + b"&" + first, (200, 400)),
        "the same experiment by name and version": (first + b"&" + first + b"@1", (200, 400)),
        "all and a name": (b"experiments=all&" + first, (200, 400)),
        "all twice": (b"experiments=all&experiments=all", (200, 400)),
        "known and unknown": (first + b"&" + unknown, (200,)),
        "unknown and known": (unknown + b"&" + first, (200,)),
        "known and failing": (first + b"&" + failing, (200,)),
        "unknown and failing": (unknown + b"&" + failing, (404,)),
        "failing and unknown": (failing + b"&" + unknown, (503,)),
        "known and malformed": (first + b"&experiments=a%0A", (200, 400)),
        "known and empty": (first + b"&experiments=", (200, 400)),
        "1000 unknown": (
            b"&".join(b"experiments=n%d" % number for number in range(1000)),
            (404, 413),
        ),
        "one known a thousand times": (b"&".join([first] * 1000), (200, 400, 413)),
        "view=true": (first + b"&view=true", (200,)),
        "view=false": (first + b"&view=false", (200,)),
        "view=True": (first + b"&view=True", (200, 400)),
        "view=1": (first + b"&view=1", (200, 400)),
        "view=nonsense": (first + b"&view=nonsense", (400,)),
        "view without a value": (first + b"&view=", (400,)),
        "view twice": (first + b"&view=true&view=false", (200, 400)),
        "view first": (b"view=true&" + first, (200,)),
        "view alone": (b"view=true", (200,)),
    }
    plain = {"two experiments", "two experiments, the other first", "view=true", "view=false"}
    for name, (query, statuses) in queries.items():
        yield post(
            f"query: {name}",
            PREDICTIONS,
            good(PREDICTIONS),
            *statuses,
            query=query,
            is_plain=name in plain,
        )

    digits = [part("images", digit_png(label)) for label in "0123456789"]
    bad = part("images", b"no image")
    yield post("ten images", PREDICTIONS, form(*digits), 200, is_plain=True)
    yield post(
        "ten images by all",
        PREDICTIONS,
        form(*digits),
        200,
        query=b"experiments=all",
        is_plain=True,
    )
    yield post(
        "ten images with their view", PREDICTIONS, form(*digits), 200, query=first + b"&view=true"
    )
    yield post("a bad image among good ones", PREDICTIONS, form(digits[0], bad, digits[1]), 200)
    yield post("bad images only", PREDICTIONS, form(bad, part("images", b"")), 200)
    yield post("one image a hundred times", PREDICTIONS, form(*digits[:1] * 100), 200)
    yield post(
        "a good image and another field", PREDICTIONS, form(digits[0], part("other", b"")), 400
    )
    yield post("1001 images", PREDICTIONS, form(*digits[:1] * 1001), 413)
    mixed = [part("images", image.data) for image in odd_images()]
    yield post("every odd image in one call", PREDICTIONS, form(*mixed), 200)
    lines = ((b"accept", b"application/x-ndjson"),)
    yield post("ten images in lines", PREDICTIONS, form(*digits), 200, extra=lines)
    yield post("odd images in lines", PREDICTIONS, form(*mixed), 200, extra=lines)
    yield post(
        "unknown experiment in lines", PREDICTIONS, form(*digits), 404, extra=lines, query=unknown
    )


def _arrays() -> Iterator[Request]:
    """Yield images as JSON."""
    blank = [[0] * 28 for _ in range(28)]
    one = [
        [255 if column == 14 and 4 < row < 24 else 0 for column in range(28)] for row in range(28)
    ]
    whole = json.dumps({"images": [one]}).encode()

    def spoilt(value: object) -> bytes:
        rows = [list(row) for row in one]
        rows[17][5] = value  # type: ignore[call-overload]
        return json.dumps({"images": [one, rows]}).encode()

    bodies: dict[str, tuple[bytes, tuple[int, ...]]] = {
        "one image": (whole, (200,)),
        "two images": (json.dumps({"images": [one, blank]}).encode(), (200,)),
        "spaces": (b" \n" + json.dumps({"images": [one]}, indent=1).encode() + b"\n", (200,)),
        "no image": (b'{"images": []}', (400, 422)),
        "no images": (b"{}", (400, 422)),
        "a number instead": (b'{"images": 7}', (400, 422)),
        "null": (b'{"images": null}', (400, 422)),
        "a text instead": (b'{"images": "iVBORw0KGgo="}', (400, 422)),
        "a list": (b"[]", (400, 422)),
        "more": (whole[:-1] + b', "more": 1}', (400, 422)),
        "images twice": (whole[:-1] + b', "images": []}', (200, 400, 422)),
        "NaN": (spoilt(float("nan")), (400, 422)),
        "Infinity": (spoilt(float("inf")), (400, 422)),
        "256": (spoilt(256), (422,)),
        "-1": (spoilt(-1), (422,)),
        "true": (spoilt(value=True), (422,)),
        "0.5": (spoilt(0.5), (422,)),
        "1.0": (spoilt(1.0), (200, 422)),
        "a text": (spoilt("7"), (422,)),
        "null pixel": (spoilt(None), (422,)),
        "a list as pixel": (spoilt([1]), (422,)),
        "a number of 5000 digits": (
            spoilt(7).replace(b" 7,", b" " + b"9" * 5000 + b","),
            (400, 422),
        ),
        "1e400": (spoilt(7).replace(b" 7,", b" 1e400,"), (400, 422)),
        "27 rows": (json.dumps({"images": [one[1:]]}).encode(), (422,)),
        "29 columns": (json.dumps({"images": [[[*row, 0] for row in one]]}).encode(), (422,)),
        "one row of another length": (json.dumps({"images": [[[0], *one[1:]]]}).encode(), (422,)),
        "a flat image": (
            json.dumps({"images": [[pixel for row in one for pixel in row]]}).encode(),
            (422,),
        ),
        "one image without its list": (json.dumps({"images": one}).encode(), (422,)),
        "1001 images": (
            json.dumps({"images": [blank] * 1001}, separators=(",", ":")).encode(),
            (413,),
        ),
        "20,000 deep": (b'{"images": ' + b"[" * 20_000 + b"]" * 20_000 + b"}", (400, 422)),
        "100,000 deep": (b'{"images": ' + b"[" * 100_000 + b"]" * 100_000 + b"}", (413,)),
        "cut short": (whole[:-5], (400,)),
        "two documents": (whole + whole, (400,)),
        "empty": (b"", (400,)),
        "text": (b"hello", (400,)),
        "UTF-16": (whole.decode().encode("utf-16"), (400, 422)),
        "a byte order mark": (b"\xef\xbb\xbf" + whole, (200, 400)),
        "bytes that are not UTF-8": (b'{"images": "\xff"}', (400, 422)),
        "a lone surrogate": (b'{"images": "\\ud800"}', (400, 422)),
    }
    for name, (body, statuses) in bodies.items():
        yield post(f"JSON: {name}", PREDICTIONS, body, *statuses, content_type=JSON)
    for name, content_type in {
        "a charset": JSON + b"; charset=utf-8",
        "capitals": b"Application/JSON",
        "a suffix": b"a/b+json",
    }.items():
        yield post(f"JSON: type with {name}", PREDICTIONS, whole, content_type=content_type)
    yield post("JSON: to the other operation", INFERENCE, whole, 415, content_type=JSON)


def _addresses(path: str) -> Iterator[Request]:
    """Yield other methods and paths."""
    plain = post("plain", path, good(path), 200, is_plain=True)
    yield plain
    short = path.removeprefix(BASE + "/")
    own_methods = {"POST"} if path == INFERENCE else {"POST", "GET"}
    for method in (
        "GET",
        "HEAD",
        "PUT",
        "PATCH",
        "DELETE",
        "TRACE",
        "CONNECT",
        "post",
        "P0ST",
        "OPTIONS",
    ):
        is_refused = method not in {*own_methods, "HEAD", "OPTIONS"}
        yield replace(
            plain,
            name=f"{short}: method {method}",
            method=method,
            statuses=frozenset({405} if is_refused else ()),
            is_plain=False,
        )
    word = path.rpartition("/")[2]
    paths = {
        "slash behind": path + "/",
        "two slashes behind": path + "//",
        "two slashes before": f"{BASE}//{word}",
        "two slashes first": "/" + path,
        "capitals": f"{BASE}/{word.upper()}",
        "a letter percent-encoded": f"{BASE}/%{ord(word[0]):x}{word[1:]}",
        "a slash percent-encoded": f"{BASE}%2f{word}",
        "a dot": f"{BASE}/./{word}",
        "two dots": f"{BASE}/x/../{word}",
        "a parameter": f"{path};v=1",
        "a newline": f"{path}%0A",
        "a zero": f"{path}%00",
        "a space": f"{path}%20",
        "emoji": f"{path}%F0%9F%98%80",
        "bytes that are not UTF-8": f"{path}%ff",
        "a broken percent": f"{path}%zz",
        "something behind": f"{path}x",
        "something below": f"{path}/x",
        "no base": f"/{word}",
        "another version": f"/api/v2.0/{word}",
        "an address of its own": f"http://localhost:9090{path}",
        "10,000 letters": f"{BASE}/{'a' * 10_000}",
    }
    query = plain.target[len(path) :]
    for name, other in paths.items():
        yield replace(
            plain,
            name=f"{short}: path: {name}",
            target=other.encode() + query,
            statuses=frozenset(),
            is_plain=False,
        )


def requests() -> list[Request]:
    """Return the whole corpus. Names are unique."""
    for_both = (
        _addresses,
        _clients,
        _boundaries,
        _bodies,
        _parts,
        _headers,
        _types,
        _names,
        _queries,
    )
    both = [request for make in for_both for path in FIELDS for request in make(path)]
    return [*both, *_images(), *_predictions(), *_arrays()]
