"""Image decoding: every supported format to gray pixels, and rejected files with a reason."""

import base64
import struct
import zlib

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from inference.errors import UnreadableImageError, UnsupportedImageError
from inference.preprocessing.decoding import decode as decode_image
from inference.preprocessing.decoding import media_type
from tests.corpus.images import chunk
from tests.support.images import drawn, encoded


def decode(data: bytes) -> NDArray[np.uint8]:
    return decode_image(data).gray


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


@pytest.mark.parametrize("bits", [8, 10, 12, 14, 16])
def test_decode_16_bit_gray_of_fewer_bits_is_scaled(bits: int) -> None:
    digit = drawn()
    deep = digit.astype(np.uint32) * ((1 << bits) - 1) // 255
    assert (
        np.abs(decode(encoded(Image.fromarray(deep.astype(np.uint16)))).astype(int) - digit).max()
        < 2
    )


STROKES = drawn("7", side=60)
SEMITRANSPARENT = (STROKES * 0.8).astype(np.uint8)


def strokes(shade: int, alpha: np.ndarray, hidden: int = 0) -> Image.Image:
    """Return strokes of one shade on transparent pixels whose hidden shade is another."""
    gray = np.where(alpha > 0, shade, hidden).astype(np.uint8)
    return Image.merge("LA", (Image.fromarray(gray), Image.fromarray(alpha)))


@pytest.mark.parametrize("alpha", [STROKES, SEMITRANSPARENT], ids=["opaque", "semitransparent"])
@pytest.mark.parametrize("hidden", [0, 255])
@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_decode_light_strokes_on_transparent_are_ink(
    mode: str, hidden: int, alpha: np.ndarray
) -> None:
    pixels = decode(encoded(strokes(255, alpha, hidden).convert(mode)))
    assert np.abs(pixels.astype(int) - alpha).max() <= 1


@pytest.mark.parametrize("color", [(255, 255, 0), (255, 255, 255), (210, 240, 255)])
def test_decode_colored_light_strokes_are_ink(color: tuple[int, int, int]) -> None:
    image = Image.new("RGBA", (60, 60), (*color, 0))
    image.putalpha(Image.fromarray(STROKES))
    pixels = decode(encoded(image))
    assert (int(pixels[0, 0]), int(pixels.max()) > 200) == (0, True)


@pytest.mark.parametrize("shade", [0, 90])
def test_decode_dark_strokes_on_transparent_lie_on_white(shade: int) -> None:
    pixels = decode(encoded(strokes(shade, STROKES)))
    assert (int(pixels[0, 0]), int(pixels.min())) == (255, shade)


def test_decode_light_palette_strokes_are_ink() -> None:
    image = Image.fromarray((STROKES > 127).astype(np.uint8), "P")
    image.putpalette([0, 0, 0, 250, 250, 250])
    pixels = decode(encoded(image, transparency=0))
    assert (int(pixels[0, 0]), int(pixels.max())) == (0, 250)


def test_decode_opaque_picture_with_alpha_is_unchanged() -> None:
    picture = drawn(ink=250, paper=220)
    image = Image.merge("LA", (Image.fromarray(picture), Image.new("L", (28, 28), 255)))
    assert (decode(encoded(image)) == picture).all()


@pytest.mark.parametrize("shade", [0, 255])
def test_decode_fully_transparent_picture_is_white(shade: int) -> None:
    assert (decode(encoded(strokes(shade, np.zeros((40, 40), np.uint8), shade))) == 255).all()


@pytest.mark.parametrize("orientation", [1, 6])
def test_decode_large_jpeg_is_reduced_and_keeps_its_size(orientation: int) -> None:
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = decode_image(encoded(Image.new("RGB", (6000, 4500), "gray"), "JPEG", exif=exif))
    size = (6000, 4500) if orientation == 1 else (4500, 6000)
    assert (image.width, image.height) == size
    assert image.gray.shape == (size[1] // 4, size[0] // 4)


@pytest.mark.parametrize(("width", "height"), [(10_001, 10), (10, 10_001)])
def test_decode_jpeg_over_10000_pixels_is_rejected(width: int, height: int) -> None:
    with pytest.raises(UnreadableImageError, match="side outside 1 to 10000"):
        decode(encoded(Image.new("L", (width, height)), "JPEG"))


def test_decode_large_progressive_jpeg_is_rejected() -> None:
    with pytest.raises(UnreadableImageError, match="side outside 1 to 4096"):
        decode(encoded(Image.new("L", (5000, 20)), "JPEG", progressive=True))


def test_decode_jpeg_of_many_scans_is_rejected() -> None:
    data = encoded(Image.new("L", (64, 64), 200), "JPEG", progressive=True)
    scan = data[data.rindex(b"\xff\xda") : -2]
    with pytest.raises(UnreadableImageError, match="more than 64 scans"):
        decode(data[:-2] + scan * 65 + data[-2:])
