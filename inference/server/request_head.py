"""What a request says of itself in its headers, for the checks that every request meets."""

from dataclasses import dataclass

from inference.server.multipart import Headers


@dataclass(slots=True)
class RequestHead:
    """Its own id, its length in bytes, the program that sends it, its key, under which name it asks
    and for a page of which site.

    Several names or sites are one with commas, which is none.
    """

    request_id: bytes = b""
    length: bytes = b"0"
    program: bytes = b""
    key: bytes | None = None
    host: bytes = b""
    origin: bytes = b""
    has_type: bool = False
    is_encoded: bool = False
    is_chunked: bool = False

    @classmethod
    def of(cls, headers: Headers) -> "RequestHead":
        """Read the headers of a request."""
        head = cls()
        for name, value in headers:
            if name == b"content-type":
                head.has_type = True
            elif name == b"content-length":
                head.length = value
            elif name == b"x-request-id":
                head.request_id = head.request_id or value
            elif name == b"user-agent":
                head.program = value
            elif name == b"x-api-key":
                head.key = value
            elif name == b"host":
                head.host = _with(head.host, value)
            elif name == b"origin":
                head.origin = _with(head.origin, value)
            elif name == b"content-encoding":
                head.is_encoded = value.strip().lower() != b"identity"
            elif name == b"transfer-encoding":
                head.is_chunked = value.strip().lower() == b"chunked"
        return head


def _with(values: bytes, value: bytes) -> bytes:
    return values + b"," + value if values else value
