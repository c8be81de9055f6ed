"""Thumbnails of untrusted files."""

import io
import struct
import zlib
from typing import Any

import pytest
from PIL import Image

from web.components.thumbnail import MAX_SIDE, ThumbnailError, make_thumbnail


def encoded(image: Image.Image, kind: str, **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "BMP", "GIF"])
def test_every_format_of_the_api_has_a_thumbnail(kind: str) -> None:
    shown = Image.open(
        io.BytesIO(make_thumbnail(encoded(Image.new("RGB", (600, 300), "white"), kind)))
    )
    assert (shown.format, shown.size) == ("PNG", (256, 128))


def test_photo_is_rotated_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6  # orientation: turned by 90 degrees
    shown = Image.open(
        io.BytesIO(make_thumbnail(encoded(Image.new("RGB", (40, 20)), "JPEG", exif=exif)))
    )
    assert shown.size == (20, 40)


def bomb() -> bytes:
    """Return a PNG whose header declares 100,000 x 100,000 pixels."""
    header = struct.pack(">IIBBBBB", 100_000, 100_000, 8, 0, 0, 0, 0)
    chunk = b"IHDR" + header
    return (
        b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))
    )


def scans() -> bytes:
    """Return a JPEG that reads all pixels 1,000 times."""
    photo = encoded(Image.new("L", (16, 16)), "JPEG", progressive=True)
    end = photo.rindex(b"\xff\xd9")
    return photo[:end] + photo[photo.rindex(b"\xff\xda") : end] * 1000 + photo[end:]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"not an image",
        encoded(Image.new("L", (9, 9)), "PNG")[:40],
        encoded(Image.new("L", (9, 9)), "TIFF"),
        bomb(),
        scans(),
    ],
    ids=["empty", "text", "cut off", "other type", "bomb", "scans"],
)
def test_unsupported_file_is_rejected(data: bytes) -> None:
    with pytest.raises(ThumbnailError):
        make_thumbnail(data)


def test_side_above_the_limit_is_rejected() -> None:
    with pytest.raises(ThumbnailError):
        make_thumbnail(encoded(Image.new("1", (MAX_SIDE + 1, 1)), "PNG"))
