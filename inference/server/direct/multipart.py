"""Multipart requests of the usual form: those that the fast path can read without Connexion."""

import functools
import re
from dataclasses import dataclass

from inference.server.request_head import RequestHead

CONTENT_TYPE = re.compile(rb"multipart/form-data; ?boundary=([0-9A-Za-z_-]{1,70})")
PART_HEAD = re.compile(
    rb'\r\nContent-Disposition: form-data; name="([a-z_]+)"; filename="[0-9A-Za-z_. ()-]{1,255}"'
    rb"(?:\r\nContent-Type: [a-z]+/[0-9a-z.+-]+)?"
)
# Names and values that need no percent-decoding.
QUERY = re.compile(rb"[a-z_]+=[0-9A-Za-z_.@-]+(?:&[a-z_]+=[0-9A-Za-z_.@-]+)*")
MAX_QUERY_BYTES = 8192
MAX_LENGTH_DIGITS = 12


@dataclass(slots=True)
class MultipartRequest:
    """A request with nothing unusual in its head, and the delimiter of its body's parts."""

    head: RequestHead
    query: dict[str, list[str]]
    length: int  # of the body in bytes
    _delimiter: bytes

    @classmethod
    def of(
        cls, head: RequestHead, query_string: bytes, max_bytes: int
    ) -> "MultipartRequest | None":
        """Return the request, None if its head is unusual or its body exceeds `max_bytes`."""
        length = head.content_length
        if not head.is_plain or head.content_type is None or length is None:
            return None
        delimiter = _parse_delimiter(head.content_type)
        query = _parse_query(query_string) if len(query_string) <= MAX_QUERY_BYTES else None
        if delimiter is None or query is None:
            return None
        if not length.isdigit() or not 0 < len(length) <= MAX_LENGTH_DIGITS:
            return None
        size = int(length)
        return cls(head, query, size, delimiter) if 0 < size <= max_bytes else None

    def files(self, body: bytes, field: bytes) -> list[bytes] | None:
        """Return the files of a body that has nothing but files in this field, else None."""
        delimiter = self._delimiter
        if len(body) != self.length:
            return None
        parts = (b"\r\n" + body).split(b"\r\n" + delimiter)
        if parts[0] or parts[-1] != b"--\r\n" or body.count(delimiter) != len(parts) - 1:
            return None
        files = []
        for part in parts[1:-1]:
            head, _, content = part.partition(b"\r\n\r\n")
            matched = PART_HEAD.fullmatch(head)
            if matched is None or matched[1] != field:
                return None
            files.append(content)
        return files or None


@functools.lru_cache(maxsize=256)
def _parse_delimiter(content_type: bytes) -> bytes | None:
    """Return the delimiter between the parts of a form, None for another type."""
    matched = CONTENT_TYPE.fullmatch(content_type)
    return b"--" + matched[1] if matched else None


@functools.lru_cache(maxsize=256)
def _parse_query(query_string: bytes) -> dict[str, list[str]] | None:
    """Return the values of a query by name, None if any of it needs decoding.

    The result is cached: do not change it.
    """
    query: dict[str, list[str]] = {}
    if query_string and not QUERY.fullmatch(query_string):
        return None
    for pair in query_string.decode().split("&") if query_string else ():
        name, _, value = pair.partition("=")
        query.setdefault(name, []).append(value)
    return query
