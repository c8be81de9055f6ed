"""Image decoding: every supported format to gray pixels, and rejected files with a reason."""

import base64
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from inference.errors import UnreadableImageError, UnsupportedImageError
from inference.preprocessing.decoding import decode, media_type
from tests.corpus.images import chunk
from tests.support.images import drawn, encoded


@pytest.mark.parametrize("kind", ["PNG", "BMP", "GIF", "WEBP"])
def test_decode_lossless_formats_are_equal(kind: str) -> None:
    digit = drawn(side=140)
    options = {"lossless": True} if kind == "WEBP" else {}
    assert (decode(encoded(digit, kind, **options)) == digit).all()


def test_decode_jpeg_is_nearly_equal() -> None:
    digit = drawn(side=140)
    assert np.abs(decode(encoded(digit, "JPEG", quality=95)).astype(int) - digit).max() < 30


def test_decode_camera_jpeg_reads_the_first_picture() -> None:
    digit = drawn(side=140)
    data = encoded(
        digit,
        "MPO",
        save_all=True,
        append_images=[Image.fromarray(digit).resize((70, 70))],
        quality=95,
    )
    assert np.abs(decode(data).astype(int) - digit).max() < 30


def test_decode_16_bit_gray_keeps_the_high_byte() -> None:
    digit = drawn()
    assert (decode(encoded(Image.fromarray(digit.astype(np.uint16) * 257))) == digit).all()


def test_decode_reads_1_bit_and_cmyk() -> None:
    digit = ((drawn(side=56) > 127) * 255).astype(np.uint8)
    assert (decode(encoded(Image.fromarray(digit).convert("1"))) == digit).all()
    assert (
        np.abs(
            decode(encoded(Image.fromarray(digit).convert("CMYK"), "JPEG", quality=100)).astype(int)
            - digit
        ).mean()
        < 2
    )


def test_decode_composites_transparency_on_white() -> None:
    image = Image.new("RGBA", (28, 28), (0, 0, 0, 0))
    image.putpixel((14, 14), (0, 0, 0, 255))
    pixels = decode(encoded(image))
    assert (pixels[0, 0], pixels[14, 14]) == (255, 0)


def test_decode_composites_a_transparent_palette_color_on_white() -> None:
    image = Image.new("P", (10, 10), 0)
    image.putpalette([0, 0, 0, 200, 0, 0])
    assert (decode(encoded(image, transparency=0)) == 255).all()


def test_decode_applies_exif_rotation() -> None:
    digit = drawn("7", side=140)
    exif = Image.Exif()
    exif[0x0112] = 6  # rotated by 90 degrees
    turned = encoded(Image.fromarray(digit).rotate(90), "JPEG", quality=95, exif=exif)
    assert np.abs(decode(turned).astype(int) - digit).mean() < 3


def test_decode_png_without_iend_is_read() -> None:
    digit = drawn()
    assert (decode(encoded(digit)[:-12]) == digit).all()


@pytest.mark.parametrize(
    "data",
    [
        b"hello", b"\x7fELF", b"<svg/>", b"%PDF-1.7", b"II*\0", b"8BPS", b"\x1f\x8b",
        b"RIFF\0\0\0\0WAVEfmt ",
    ],
    ids=["text", "elf", "svg", "pdf", "tiff", "psd", "gzip", "wav"],
)  # fmt: skip
def test_decode_other_types_are_unsupported(data: bytes) -> None:
    with pytest.raises(UnsupportedImageError, match=r"not a supported image \(PNG, JPEG"):
        decode(data)


@pytest.mark.parametrize("kind", ["PNG", "BMP", "GIF", "WEBP", "JPEG"])
@pytest.mark.parametrize("before", [b"", b"data:image/png;base64,", b' \n"'])
def test_decode_of_base64_text_says_to_decode_it(kind: str, before: bytes) -> None:
    image = encoded(drawn(), kind)
    for text in (base64.b64encode(image), base64.urlsafe_b64encode(image)):
        with pytest.raises(UnsupportedImageError, match=r"base64 text\. Decode it"):
            decode(before + text)


@pytest.mark.parametrize(
    ("data", "detail"),
    [
        (b"", "empty"),
        (encoded(drawn())[:60], "broken"),
        (encoded(drawn(), "JPEG")[:200], "broken"),
        (b"\x89PNG\r\n\x1a\nnonsense", "broken"),
        (
            b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 0, 0, 8, 0, 0, 0, 0)),
            "broken|side outside",
        ),
        (encoded(np.zeros((1, 4097), np.uint8)), "side outside"),
        (encoded(np.zeros((4097, 1), np.uint8)), "side outside"),
        (encoded(np.zeros((12000, 12000), np.uint8)), "side outside"),
        (encoded(drawn()).replace(b"IDAT", b"IDAX"), "broken"),
    ],
    ids=[
        "empty",
        "cut-png",
        "cut-jpeg",
        "no-header",
        "0x0",
        "too-wide",
        "too-high",
        "bomb",
        "no-pixels",
    ],
)
def test_decode_unusable_image_gives_the_reason(data: bytes, detail: str) -> None:
    with pytest.raises(UnreadableImageError, match=detail):
        decode(data)


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP"])
def test_decode_animation_is_rejected(kind: str) -> None:
    frames = [Image.fromarray(drawn(text)) for text in "12"]
    with pytest.raises(UnreadableImageError, match="animated"):
        decode(encoded(frames[0], kind, save_all=True, append_images=frames[1:]))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "BMP", "GIF"])
def test_media_type_is_that_of_the_content(kind: str) -> None:
    assert media_type(encoded(drawn(), kind)) == f"image/{kind.lower()}"


def test_media_type_of_other_bytes_is_octet_stream() -> None:
    assert media_type(b"hello") == "application/octet-stream"


def test_decode_png_with_too_many_compressed_texts_is_rejected() -> None:
    plain = encoded(drawn())
    text = chunk(b"zTXt", b"a\0\0" + zlib.compress(b"a" * 1000))
    with pytest.raises(UnreadableImageError, match="more than 10000 chunks"):
        decode(plain[:33] + text * 60 + plain[33:])
