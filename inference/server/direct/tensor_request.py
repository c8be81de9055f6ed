"""Tensor requests: the usual requests of serving protocols, with a tensor in binary or JSON."""

import functools
import re
import urllib.parse
from dataclasses import dataclass

from inference.server.request_head import RequestHead

URL = re.compile(
    rb"/v2/models/(?P<infer>[0-9A-Za-z_.@-]{1,192})(?:/versions/([0-9]{1,9}))?/infer"
    rb"|/v1/models/(?P<predict>[0-9A-Za-z_.@-]{1,192})(?:/versions/([0-9]{1,9}))?:predict"
)
PREFIXES = (b"/v2/models/", b"/v1/models/")
MAX_URL_BYTES = 512
MAX_LENGTH_DIGITS = 9
MAX_JSON_BYTES = 16_384  # a larger body is read in a thread


@dataclass(slots=True)
class TensorRequest:
    """A request with nothing unusual in its head.

    is_infer: whether it is of the Open Inference Protocol, else one of TensorFlow Serving.
    name: the model's, as the client calls it.
    pinned_name: the name with the version of the path, as NAME@VERSION.
    length: bytes of the body.
    json_length: bytes of the JSON in front of a binary tensor, 0 where the body is JSON.
    """

    head: RequestHead
    is_infer: bool
    name: str
    pinned_name: str
    length: int
    json_length: int

    @classmethod
    def of(cls, head: RequestHead, url: bytes, max_bytes: int) -> "TensorRequest | None":
        """Return the request, None if its head is unusual or its body exceeds `max_bytes`."""
        length, json_length = head.content_length, head.json_length or b"0"
        if length is None or not head.is_plain or not url.startswith(PREFIXES):
            return None
        address = _parse_url(url) if len(url) <= MAX_URL_BYTES else None
        if address is None or not _is_number(length) or not _is_number(json_length):
            return None
        size, json_size = int(length), int(json_length)
        if head.json_length:
            is_usual = address[0] and 0 < json_size <= size <= max_bytes
        else:
            is_usual = 0 < size <= min(MAX_JSON_BYTES, max_bytes)
        return cls(head, *address, size, json_size) if is_usual else None


def _is_number(digits: bytes) -> bool:
    return digits.isdigit() and len(digits) <= MAX_LENGTH_DIGITS


@functools.lru_cache(maxsize=256)
def _parse_url(url: bytes) -> tuple[bool, str, str] | None:
    """Return the first values of a TensorRequest behind its head, None for any other URL."""
    found = URL.fullmatch(urllib.parse.unquote_to_bytes(url))
    if found is None:
        return None
    is_infer = found["infer"] is not None
    name = (found["infer"] if is_infer else found["predict"]).decode()
    version = found[2] if is_infer else found[4]
    return is_infer, name, name if version is None else f"{name}@{version.decode()}"
