"""Request head: the headers that the edge and the fast path look at, read once per request."""

from collections.abc import Iterable
from dataclasses import dataclass

from servicekit.request_context import parse_program

ANY_TYPE = b"*/*"
# Headers that cannot change a response of the fast path.
HARMLESS_HEADERS = frozenset(
    b"accept-encoding accept-language cache-control connection cookie dnt http2-settings pragma"
    b" priority referer sec-ch-ua sec-ch-ua-mobile sec-ch-ua-platform sec-fetch-dest sec-fetch-mode"
    b" sec-fetch-site traceparent tracestate upgrade via x-forwarded-for x-forwarded-host"
    b" x-forwarded-proto x-real-ip".split()
)

Headers = Iterable[tuple[bytes, bytes]]


class Discarded(list[tuple[bytes, bytes]]):
    """Takes the trailer fields behind a body without keeping them: they are never read."""

    def append(self, _header: tuple[bytes, bytes]) -> None:
        """Drop a header."""


DISCARDED = Discarded()


@dataclass(slots=True)
class RequestHead:
    """The headers of a request that decide what happens to it.

    Repeated Host or Origin headers are joined with commas, which no host name contains.
    `is_plain` is False if any header is repeated or unknown to the fast path.
    """

    host: bytes | None = None
    origin: bytes = b""
    request_id: bytes = b""
    user_agent: bytes = b""
    api_key: bytes | None = None
    authorization: bytes = b""
    accept: bytes = ANY_TYPE
    content_type: bytes | None = None
    content_length: bytes | None = None
    json_length: bytes = b""  # Inference-Header-Content-Length
    is_encoded: bool = False
    is_chunked: bool = False
    is_plain: bool = True

    @classmethod
    def parse(cls, headers: Headers) -> "RequestHead":  # noqa: PLR0912  # one branch a header
        """Read the headers of a request; their names are in lower case."""
        head = cls()
        for name, value in headers:
            if name == b"host":
                head.is_plain = head.is_plain and not head.host
                head.host = value if not head.host else head.host + b"," + value
            elif name == b"user-agent":
                head.user_agent = value
            elif name == b"content-type":
                head.is_plain = head.is_plain and head.content_type is None
                head.content_type = value
            elif name == b"content-length":
                head.is_plain = head.is_plain and head.content_length is None
                head.content_length = value
            elif name == b"accept":
                head.is_plain = head.is_plain and head.accept == ANY_TYPE
                head.accept = value
            elif name == b"x-request-id":
                head.is_plain = head.is_plain and not head.request_id
                head.request_id = head.request_id or value
            elif name == b"x-api-key":
                head.api_key = value
            elif name == b"inference-header-content-length":
                head.is_plain = head.is_plain and not head.json_length
                head.json_length = value
            elif name == b"origin":
                head.is_plain = head.is_plain and not head.origin
                head.origin = value if not head.origin else head.origin + b"," + value
            elif name not in HARMLESS_HEADERS:
                head.is_plain = False
                if name == b"content-encoding":
                    head.is_encoded = value.strip().lower() != b"identity"
                elif name == b"transfer-encoding":
                    head.is_chunked = value.strip().lower() == b"chunked"
                elif name == b"authorization":
                    head.authorization = value
        return head

    @property
    def source(self) -> str | None:
        """The client program, such as curl/8.5.0, None where User-Agent does not name one."""
        return parse_program(self.user_agent)


def encode_head(method: bytes, target: bytes, version: bytes, headers: Headers) -> bytes:
    """Return a request's head as on the wire, without its offer to change the protocol."""
    fields = [b"%b: %b" % (name, value) for name, value in headers if name != b"upgrade"]
    return b"\r\n".join([b"%b %b HTTP/%b" % (method, target, version), *fields, b"", b""])
