"""Media types of artifacts, and their paths."""

from __future__ import annotations

import io

import pytest
from PIL import Image

from tracking.media import is_valid_path, media_type


def image(kind: str) -> bytes:
    """Return a whole image file."""
    file = io.BytesIO()
    Image.new("RGB", (2, 2)).save(file, kind)
    return file.getvalue()


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "GIF", "WEBP"])
def test_image_is_known_by_its_content(kind: str) -> None:
    assert media_type("a.txt", image(kind)) == f"image/{kind.lower()}"


@pytest.mark.parametrize("kind", ["BMP", "TIFF"])
def test_other_image_is_unknown(kind: str) -> None:
    assert media_type("a.png", image(kind)) is None


@pytest.mark.parametrize("content", [b"\x89PNG\r\n", b"\xff\xd8", b"RIFF\xff\0\0\0WAVE"])
def test_beginning_of_an_image_is_not_enough(content: bytes) -> None:
    assert media_type("a.png", content) is None


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("a.csv", "text/csv"),
        ("plots/a.HTML", "text/html"),
        ("a.htm", "text/html"),
        ("a.json", "application/json"),
        ("a.md", "text/markdown"),
        ("a.xml", "application/xml"),
        ("a.py", "text/plain"),
        ("a.png", "text/plain"),
        ("csv", "text/plain"),
        ("folder.csv/a", "text/plain"),
    ],
)
def test_text_is_known_by_its_suffix(path: str, expected: str) -> None:
    assert media_type(path, b"text\n") == expected


@pytest.mark.parametrize(
    "content",
    [b"", "ä€\N{GRINNING FACE}".encode(), b"tab\t line\r\n", b"\x1b[31mred\x1b[0m"],
)
def test_text_may_be_empty_colored_and_utf8(content: bytes) -> None:
    assert media_type("log.txt", content) == "text/plain"


@pytest.mark.parametrize(
    "content",
    [
        b"zero \x00",
        b"bell \x07",
        "ä".encode("latin-1"),
        b"\x80\x04\x95",
        b"PK\x03\x04",
        b"\x7fELF\2",
    ],
)
def test_other_bytes_have_no_type(content: bytes) -> None:
    assert media_type("a.txt", content) is None


@pytest.mark.parametrize("path", ["a", "a/b/c.txt", ".hidden", "a..b", "...", "ä b", "p" * 500])
def test_path_of_names_is_valid(path: str) -> None:
    assert is_valid_path(path)


@pytest.mark.parametrize(
    "path",
    ["", "/a", "a/", "a//b", ".", "..", "a/../b", "./a", "a\\b", "a\nb", "a\0", "p" * 501],
)
def test_path_that_may_leave_the_run_is_invalid(path: str) -> None:
    assert not is_valid_path(path)
