"""Plain PNG reader: recognizes and reads 8-bit gray files without further chunks."""

import zlib

import numpy as np
import pytest

from inference.preprocessing.decoding import decode
from inference.preprocessing.plain_png import decode_plain_png, is_small_plain_png
from tests.conftest import digit_png
from tests.corpus.images import chunk, interlaced, png
from tests.support.images import drawn, encoded


@pytest.mark.parametrize("side", [1, 28, 300])
def test_decode_plain_png_returns_the_pixels(side: int) -> None:
    pixels = np.arange(side * side).reshape(side, side).astype(np.uint8)
    decoded = decode_plain_png(encoded(pixels))
    assert decoded is not None
    assert (decoded == pixels).all()


def test_decode_plain_png_equals_pillow() -> None:
    data = encoded(drawn(side=140))
    through_pillow = data[:33] + chunk(b"tEXt", b"a\0b") + data[33:]
    assert decode_plain_png(through_pillow) is None
    assert np.array_equal(decode(data).gray, decode(through_pillow).gray)


def test_decode_plain_png_returns_none_for_other_files() -> None:
    plain = encoded(drawn())
    wrong_checksum = plain[:50] + bytes([plain[50] ^ 1]) + plain[51:]
    for data in (b"", b"hello", plain[:-1], interlaced(), wrong_checksum, encoded(drawn(), "BMP")):
        assert decode_plain_png(data) is None


@pytest.mark.parametrize(
    ("shape", "is_read"),
    [((1, 4096), True), ((4096, 1), True), ((1, 4097), False), ((4097, 1), False)],
)
def test_decode_plain_png_limits_both_sides(shape: tuple[int, int], *, is_read: bool) -> None:
    decoded = decode_plain_png(encoded(np.zeros(shape, np.uint8)))
    assert (decoded is not None) == is_read
    assert decoded is None or decoded.shape == shape


def test_is_small_plain_png_rejects_chunks_and_large_sides(
    digits: dict[str, bytes],
) -> None:
    plain = digits["3"]
    text = chunk(b"zTXt", b"a\0\0" + zlib.compress(b"a" * 100_000))
    assert is_small_plain_png(plain)
    assert is_small_plain_png(png())
    assert not is_small_plain_png(plain[:33] + text * 60 + plain[33:])
    assert not is_small_plain_png(plain[:-12] + text + plain[-12:])
    assert not is_small_plain_png(digit_png("3", side=200))
