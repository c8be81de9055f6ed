"""Image files: the cost of decoding a PNG or JPEG file, estimated without decoding anything.

A small file may keep a decoder busy for minutes: by texts and profiles that unpack to a megabyte
each (PNG), or by thousands of passes over all pixels (JPEG).
"""

import re
import struct

PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"
JPEG_SIGNATURE = b"\xff\xd8\xff"
# A chunk costs Pillow some 5 us. A text or a profile may unpack to 1 MB and costs a thousand times
# as much.
MAX_PNG_COST = 10_000
COMPRESSED_CHUNK_COST = 200
COMPRESSED_CHUNKS = frozenset({b"zTXt", b"iTXt", b"iCCP"})
# A progressive JPEG file has some 10 scans. Each costs up to 15 ms at 4096x4096 pixels, also
# if it has 33 bytes (measured with libjpeg-turbo).
MAX_JPEG_SCANS = 64
MAX_JPEG_SEGMENTS = 1000  # photos have fewer than 100

_PNG_CHUNK = struct.Struct(">I4s")
# In the data of a scan, FF is followed by 00, or by a restart marker D0 to D7 (ITU-T T.81, B.1.1).
_JPEG_MARKER = re.compile(rb"\xff([^\x00\xff\xd0-\xd7])")
_START_OF_SCAN, _END_OF_IMAGE = 0xDA, 0xD9


def is_costly(data: bytes) -> bool:
    """Return whether decoding a file takes far longer than its pixels explain."""
    if data.startswith(PNG_SIGNATURE):
        return png_cost(data) > MAX_PNG_COST
    return data.startswith(JPEG_SIGNATURE) and jpeg_scans(data) > MAX_JPEG_SCANS


def png_cost(data: bytes) -> int:
    """Return the number of chunks of a PNG, with compressed chunks counted by their cost.

    Counting stops above MAX_PNG_COST.
    """
    position, cost = len(PNG_SIGNATURE), 0
    while position + 8 <= len(data) and cost <= MAX_PNG_COST:
        length, kind = _PNG_CHUNK.unpack_from(data, position)
        cost += COMPRESSED_CHUNK_COST if kind in COMPRESSED_CHUNKS else 1
        position += 12 + length
    return cost


def jpeg_scans(data: bytes) -> int:
    """Return the number of scans of the first picture of a JPEG file.

    It is above MAX_JPEG_SCANS for a file of too many segments. Previews and videos behind the first
    picture do not count.
    """
    position, scans = 2, 0
    for _ in range(MAX_JPEG_SEGMENTS):
        marker = _JPEG_MARKER.search(data, position)
        if marker is None or marker[1][0] == _END_OF_IMAGE:
            return scans
        scans += marker[1][0] == _START_OF_SCAN
        position = marker.end() + int.from_bytes(data[marker.end() : marker.end() + 2])
    return MAX_JPEG_SCANS + 1
