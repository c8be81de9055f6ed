"""The plain form: multipart/form-data as clients send it.

What has anything unusual is not one, whatever it may mean.
"""

import functools
import re
from collections.abc import Iterable
from dataclasses import dataclass

from servicekit.request_context import parse_program

# Headers that change no answer.
HARMLESS_HEADERS = frozenset(
    b"accept-encoding accept-language cache-control connection cookie dnt pragma priority referer sec-ch-ua"
    b" sec-ch-ua-mobile sec-ch-ua-platform sec-fetch-dest sec-fetch-mode sec-fetch-site traceparent tracestate via"
    b" x-api-key x-forwarded-for x-forwarded-host x-forwarded-proto x-real-ip".split()
)
CONTENT_TYPE = re.compile(rb"multipart/form-data; ?boundary=([0-9A-Za-z_-]{1,70})")
PART_HEAD = re.compile(
    rb'\r\nContent-Disposition: form-data; name="([a-z_]+)"; filename="[0-9A-Za-z_. ()-]{1,255}"'
    rb"(?:\r\nContent-Type: [a-z]+/[0-9a-z.+-]+)?"
)
# Names and values that need no decoding.
QUERY = re.compile(rb"[a-z_]+=[0-9A-Za-z_.@-]+(?:&[a-z_]+=[0-9A-Za-z_.@-]+)*")
MAX_QUERY_BYTES = 8192
MAX_LENGTH_DIGITS = 12

Headers = Iterable[tuple[bytes, bytes]]


@dataclass(slots=True)
class MultipartRequest:
    """The head of a request that has nothing unusual.

    Who asks for what, and how its body is divided.
    """

    query: dict[str, list[str]]
    accept: bytes
    request_id: bytes
    source: str | None
    host: bytes
    origin: bytes
    _delimiter: bytes
    length: int

    @classmethod
    def of(cls, headers: Headers, query_string: bytes, max_bytes: int) -> "MultipartRequest | None":
        """Return a request's form, None where its head is unusual or its body is to be of more than
        `max_bytes`.
        """
        delimiter = length = None
        accept, request_id, source, host, origin = b"*/*", b"", None, b"", b""
        for name, value in headers:
            if name == b"content-type" and delimiter is None:
                delimiter = _delimiter(value)
                if delimiter is None:
                    return None
            elif name == b"content-length" and length is None:
                length = value
            elif name == b"host" and not host:
                host = value
            elif name == b"accept" and accept == b"*/*":
                accept = value
            elif name == b"x-request-id" and not request_id:
                request_id = value
            elif name == b"user-agent":
                source = parse_program(value)
            elif name == b"origin" and not origin:
                origin = value
            elif name not in HARMLESS_HEADERS:
                return None
        query = _parsed(query_string) if len(query_string) <= MAX_QUERY_BYTES else None
        if delimiter is None or length is None or query is None:
            return None
        if (
            not length.isdigit()
            or not 0 < len(length) <= MAX_LENGTH_DIGITS
            or not 0 < int(length) <= max_bytes
        ):
            return None
        return cls(query, accept, request_id, source, host, origin, delimiter, int(length))

    def files(self, body: bytes, field: bytes) -> list[bytes] | None:
        """Return the files of a form that holds nothing but files of this field, None for any other
        body.
        """
        delimiter = self._delimiter
        if len(body) != self.length:
            return None
        pieces = (b"\r\n" + body).split(b"\r\n" + delimiter)
        if pieces[0] or pieces[-1] != b"--\r\n" or body.count(delimiter) != len(pieces) - 1:
            return None
        files = []
        for piece in pieces[1:-1]:
            head, _, data = piece.partition(b"\r\n\r\n")
            matched = PART_HEAD.fullmatch(head)
            if matched is None or matched[1] != field:
                return None
            files.append(data)
        return files or None


@functools.lru_cache(maxsize=256)
def _delimiter(content_type: bytes) -> bytes | None:
    """Return what stands between the parts of a form, None for another type."""
    matched = CONTENT_TYPE.fullmatch(content_type)
    return b"--" + matched[1] if matched else None


@functools.lru_cache(maxsize=256)
def _parsed(query_string: bytes) -> dict[str, list[str]] | None:
    """Return the values of a query by name, None where any of it needs decoding.

    Not to be changed, for it is remembered.
    """
    query: dict[str, list[str]] = {}
    if query_string and not QUERY.fullmatch(query_string):
        return None
    for pair in query_string.decode().split("&") if query_string else ():
        name, _, value = pair.partition("=")
        query.setdefault(name, []).append(value)
    return query
