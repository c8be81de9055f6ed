"""Binary tensors of the Open Inference Protocol: their place in a body, and elements of BYTES."""

from collections.abc import Iterable

from inference.errors import MalformedRequestError

HEADER = b"inference-header-content-length"
LENGTH_BYTES = 4  # in front of each element of BYTES, little-endian
MAX_DIGITS = 12


def split_body(body: bytes, header: bytes) -> tuple[bytes, memoryview]:
    """Return the JSON of a body and the bytes behind it.

    `header` is the value of Inference-Header-Content-Length. Raises MalformedRequestError.
    """
    is_length = header.isdigit() and len(header) <= MAX_DIGITS
    if not is_length or int(header) > len(body):
        raise MalformedRequestError(
            "Inference-Header-Content-Length must be the length in bytes of the JSON at the start "
            "of the body."
        )
    length = int(header)
    return body[:length], memoryview(body)[length:]


def split_elements(tensor: bytes, count: int) -> list[bytes]:
    """Return the elements of a tensor of BYTES. Raises MalformedRequestError."""
    elements: list[bytes] = []
    start = 0
    while start < len(tensor) and len(elements) <= count:
        end = start + LENGTH_BYTES + int.from_bytes(tensor[start : start + LENGTH_BYTES], "little")
        if end > len(tensor) or start + LENGTH_BYTES > len(tensor):
            raise MalformedRequestError("An element of BYTES is cut short.")
        elements.append(tensor[start + LENGTH_BYTES : end])
        start = end
    if len(elements) != count:
        raise MalformedRequestError("The shape is not that of the data.")
    return elements


def join_elements(texts: Iterable[str]) -> bytes:
    """Return texts as a tensor of BYTES."""
    elements = [text.encode() for text in texts]
    return b"".join([part for one in elements for part in (_length(one), one)])


def _length(element: bytes) -> bytes:
    return len(element).to_bytes(LENGTH_BYTES, "little")
