"""Content encoding: unpacks the bodies of requests, within a bound."""

import zlib

from inference.errors import MalformedRequestError, RequestTooLargeError
from inference.protocols.errors import CompressionError

GZIP, ZLIB = zlib.MAX_WBITS | 16, zlib.MAX_WBITS
WINDOWS = {b"gzip": GZIP, b"x-gzip": GZIP, b"deflate": ZLIB}
NOT_PACKED = "The body is not compressed as its Content-Encoding says. Check the client."


def unpack(data: bytes, encoding: bytes, max_bytes: int) -> bytes:
    """Return a body without its Content-Encoding.

    `deflate` is zlib's format (RFC 9110, 8.4.1.2). Allocates at most `max_bytes` and one byte.
    Raises CompressionError, MalformedRequestError and RequestTooLargeError.
    """
    window = WINDOWS.get(encoding.strip().lower())
    if window is None:
        raise CompressionError
    unpacker = zlib.decompressobj(window)
    try:
        unpacked = unpacker.decompress(data, max_bytes + 1)
    except zlib.error:
        raise MalformedRequestError(NOT_PACKED) from None
    if len(unpacked) > max_bytes:
        raise RequestTooLargeError(
            f"The uncompressed body is larger than {max_bytes} bytes. Send less in one request."
        )
    if not unpacker.eof or unpacker.unused_data:
        raise MalformedRequestError("The compressed body is cut short or has bytes behind it.")
    return unpacked
