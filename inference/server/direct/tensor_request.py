"""Tensor requests: inference requests of the Open Inference Protocol with a binary tensor."""

import functools
import re
import urllib.parse
from dataclasses import dataclass

from inference.server.request_head import RequestHead

URL = re.compile(rb"/v2/models/([0-9A-Za-z_.@-]{1,192})(?:/versions/([0-9]{1,9}))?/infer")
MAX_URL_BYTES = 512
MAX_LENGTH_DIGITS = 9
OCTETS = b"application/octet-stream"


@dataclass(slots=True)
class TensorRequest:
    """A request with nothing unusual in its head.

    name: the model's, as the client calls it.
    pinned_name: the name with the version of the path, as NAME@VERSION.
    length, json_length: bytes of the body, and of the JSON at its start.
    """

    head: RequestHead
    name: str
    pinned_name: str
    length: int
    json_length: int

    @classmethod
    def of(cls, head: RequestHead, url: bytes, max_bytes: int) -> "TensorRequest | None":
        """Return the request, None if its head is unusual or its body exceeds `max_bytes`."""
        length, json_length = head.content_length, head.json_length
        if not json_length or length is None or not head.is_plain:
            return None
        if head.content_type is not None and head.content_type != OCTETS:
            return None
        names = _parse_url(url) if len(url) <= MAX_URL_BYTES else None
        if names is None or not _is_number(length) or not _is_number(json_length):
            return None
        size, json_size = int(length), int(json_length)
        if not 0 < json_size <= size <= max_bytes:
            return None
        return cls(head, *names, size, json_size)


def _is_number(digits: bytes) -> bool:
    return digits.isdigit() and len(digits) <= MAX_LENGTH_DIGITS


@functools.lru_cache(maxsize=256)
def _parse_url(url: bytes) -> tuple[str, str] | None:
    """Return the name in a URL, and the name with the version, None for any other URL."""
    found = URL.fullmatch(urllib.parse.unquote_to_bytes(url))
    if found is None:
        return None
    name = found[1].decode()
    return name, name if found[2] is None else f"{name}@{found[2].decode()}"
