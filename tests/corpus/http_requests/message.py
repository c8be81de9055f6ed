"""HTTP messages: a request of the corpus, and builders of its multipart body."""

import re
from dataclasses import dataclass

from tests.conftest import digit_png

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
    """A request for a prediction.

    `target` is the path and query of the request line; the names of `headers` are in lower case, as
    in ASGI. `statuses` are the correct ones; empty where several behaviors are acceptable. A plain
    request is one that ordinary clients send every day.
    """

    name: str
    method: str
    target: bytes
    headers: tuple[Header, ...]
    body: bytes
    statuses: frozenset[int] = frozenset()
    chunk_bytes: int | None = None  # the body arrives in chunks of this size
    is_cut_off: bool = False  # the client disconnects before the end of the body
    is_plain: bool = False

    @property
    def is_sendable(self) -> bool:
        """Whether it can be sent over a connection, with a body of a known end."""
        lengths = [value for name, value in self.headers if name == b"content-length"]
        is_odd = any(name in {b"transfer-encoding", b"expect"} for name, _ in self.headers)
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
            and not self.is_cut_off
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
    after: bytes = b"",
    line: bytes = b"\r\n",
) -> bytes:
    """Return a part as the library `requests` writes it.

    `disposition` replaces its Content-Disposition; `before` and `after` are further headers.
    """
    if disposition is None:
        disposition = b'form-data; name="%b"; filename="7.png"' % name.encode()
    own = b"Content-Disposition: " + disposition + line if disposition else b""
    return before + own + after + line + data + line


def form(
    *parts: bytes, boundary: bytes = BOUNDARY, line: bytes = b"\r\n", end: bytes | None = None
) -> bytes:
    """Return parts as a multipart body."""
    closing = b"--" + boundary + b"--" + line if end is None else end
    return b"".join(b"--" + boundary + line + encoded for encoded in parts) + closing


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
    """Return a POST request as the library `requests` sends it.

    `extra` headers replace its own of the same name. `length` replaces its Content-Length; None
    leaves it out.
    """
    if query is None:
        query = (b"experiment_name=" if path == INFERENCE else b"experiments=") + FIRST.encode()
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
    target = path.encode() + (b"?" + query if query else b"")
    full_name = f"{path.removeprefix(BASE + '/')}: {name}"
    return Request(
        full_name, "POST", target, kept + extra, body, frozenset(statuses), is_plain=is_plain
    )


def good(path: str) -> bytes:
    """Return the body of a plain request."""
    return form(part(FIELDS[path], DIGIT))
