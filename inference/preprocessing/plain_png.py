"""Fast reader for plain PNG files: 8-bit gray, with exactly the chunks IHDR, IDAT and IEND.

Other PNG files are left to Pillow. Reading a plain PNG takes a fifth of Pillow's time.
"""

import functools
import struct
import zlib

import numpy as np
from numpy.typing import NDArray
from pyspng import _pyspng_c as spng  # pyspng's wrapper takes a fifth of a small image's time

MAX_SIDE = 4096  # pixels, for images of every format
SMALL_BYTES = 65_536
SMALL_SIDE = 64  # pixels; a larger image may be a photo, whose digit takes milliseconds to find

# PNG specification (ISO/IEC 15948): signature, then IHDR with its length of 13.
HEADER_START = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"
GRAY_8_BIT = b"\x08\0\0\0\0"  # bit depth, color type, compression, filter, interlace
HEADER_BYTES = 33  # up to and including the checksum of IHDR
HEADER = struct.Struct(">16xII5sI")
CHUNK_HEAD = struct.Struct(">I4s")
END = b"\0\0\0\0IEND\xaeB`\x82"
OVERHEAD_BYTES = HEADER_BYTES + CHUNK_HEAD.size + 4 + len(END)  # everything but the IDAT's data


def is_small_plain_png(data: bytes) -> bool:
    """Return whether an image is a plain PNG of at most SMALL_SIDE pixels a side.

    Such a file is read in microseconds. Another PNG of this size may hold texts and profiles that
    take seconds.
    """
    size = _plain_size(data)
    return size is not None and max(size) <= SMALL_SIDE and len(data) <= SMALL_BYTES


def decode_plain_png(data: bytes) -> NDArray[np.uint8] | None:
    """Return the gray pixels of a plain PNG, uint8 of shape (height, width).

    Return None for any other file and for a broken one.
    """
    size = _plain_size(data)
    if size is None:
        return None
    if zlib.crc32(data[37:-16]) != int.from_bytes(data[-16:-12]):
        return None
    try:
        pixels: NDArray[np.uint8] = spng.spng_decode_image_bytes(data, spng.SPNG_FMT_G8)
    except (RuntimeError, ValueError):  # Pillow decides whether the file is broken
        return None
    return pixels.reshape(size)


def _plain_size(data: bytes) -> tuple[int, int] | None:
    """Return height and width of a file with the structure of a plain PNG, None for any other."""
    size = _size_in_header(data[:HEADER_BYTES])
    if size is None or data[37:41] != b"IDAT" or not data.endswith(END):
        return None
    return size if len(data) == OVERHEAD_BYTES + int.from_bytes(data[33:37]) else None


@functools.lru_cache(maxsize=256)
def _size_in_header(header: bytes) -> tuple[int, int] | None:
    """Return height and width from the first HEADER_BYTES of a plain PNG, None for any other."""
    if not header.startswith(HEADER_START) or len(header) < HEADER_BYTES:
        return None
    width, height, kind, checksum = HEADER.unpack(header)
    if kind != GRAY_8_BIT or checksum != zlib.crc32(header[12:-4]):
        return None
    return (height, width) if 1 <= width <= MAX_SIDE and 1 <= height <= MAX_SIDE else None
