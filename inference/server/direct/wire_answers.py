"""Wire answers: what the fast paths answer, and its bytes in HTTP/1.1."""

from collections.abc import Iterable
from typing import NamedTuple

OK = b"HTTP/1.1 200 OK\r\n%bcontent-length: %d\r\nx-request-id: %b\r\n%b%b\r\n%b"
JSON = b"content-type: application/json\r\n"
CLOSE = b"connection: close\r\n"


class WireAnswer(NamedTuple):
    """An answer that is not JSON alone: its header lines, each with its line end, and its body."""

    headers: bytes
    body: bytes


DirectAnswer = bytes | WireAnswer  # JSON, or an answer with headers


def encode_answer(
    answer: DirectAnswer,
    request_id: bytes,
    default_headers: Iterable[tuple[bytes, bytes]],
    *,
    is_last: bool,
) -> bytes:
    """Return a whole response; the connection ends with one that `is_last`."""
    more = b"".join([b"%b: %b\r\n" % header for header in default_headers])
    headers, body = (JSON, answer) if isinstance(answer, bytes) else answer
    return OK % (headers, len(body), request_id, more, CLOSE if is_last else b"", body)
