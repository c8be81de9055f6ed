"""The estimated cost of files separates usual images from those that keep a decoder busy."""

import io
import struct
import time
import zlib

import numpy as np
import pytest
from PIL import Image

from servicekit.image_files import MAX_JPEG_SCANS, is_costly, jpeg_scans, png_cost

NOISE = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)


def encoded(file_format: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(NOISE).save(buffer, file_format, **options)
    return buffer.getvalue()


def with_scans(jpeg: bytes, count: int) -> bytes:
    """Repeat the last scan of a progressive file."""
    end = jpeg.rindex(b"\xff\xd9")
    return jpeg[:end] + jpeg[jpeg.rindex(b"\xff\xda") : end] * count + jpeg[end:]


BASELINE, PROGRESSIVE = encoded("JPEG"), encoded("JPEG", progressive=True)


@pytest.mark.parametrize(
    ("data", "scans"),
    [
        (BASELINE, 1),
        (encoded("JPEG", restart_marker_blocks=1), 1),
        (BASELINE + b"\xff\xda" * 100, 1),  # a video behind the picture
        (BASELINE[:2] + b"\xff\xe1\0\x06\xff\xda\xff\xda" + BASELINE[2:], 1),  # in metadata
        (PROGRESSIVE, 10),
        (with_scans(PROGRESSIVE, 20), 30),
        (with_scans(PROGRESSIVE, 100), 110),
        (with_scans(PROGRESSIVE, 1000), MAX_JPEG_SCANS + 1),
        (BASELINE[:100], 0),
        (b"\xff\xd8\xff", 0),
        (b"\xff\xd8" + b"\xff\xe0\0\x02" * 1000, MAX_JPEG_SCANS + 1),
    ],
)
def test_jpeg_scans_counts_the_first_picture(data: bytes, scans: int) -> None:
    assert jpeg_scans(data) == scans
    assert is_costly(data) == (scans > MAX_JPEG_SCANS)


def test_jpeg_scans_of_a_large_file_is_fast() -> None:
    started = time.perf_counter()
    for data in (
        b"\xff\xd8" + b"\xff" * 2**24,
        b"\xff\xd8" + b"\xff\xe0\0\x02" * 2**22,
        PROGRESSIVE,
    ):
        jpeg_scans(data)
    assert time.perf_counter() - started < 3


def png(*chunks: tuple[bytes, bytes]) -> bytes:
    body = b"".join(
        struct.pack(">I4s", len(content), kind) + content + struct.pack(">I", zlib.crc32(content))
        for kind, content in chunks
    )
    return b"\x89PNG\r\n\x1a\n" + body


@pytest.mark.parametrize(
    ("data", "cost"),
    [
        (png((b"IHDR", b""), (b"IDAT", b"xy")), 2),
        (png((b"iCCP", b""), (b"IDAT", b"")), 201),
        (png(*[(b"zTXt", b"")] * 60), 10_200),
        (png(*[(b"tEXt", b"")] * 20_000), 10_001),
    ],
)
def test_png_cost_counts_compressed_chunks_by_their_cost(data: bytes, cost: int) -> None:
    assert png_cost(data) == cost
    assert is_costly(data) == (cost > 10_000)


@pytest.mark.parametrize("file_format", ["PNG", "WEBP", "BMP", "GIF"])
def test_usual_files_are_not_costly(file_format: str) -> None:
    assert not is_costly(encoded(file_format))
