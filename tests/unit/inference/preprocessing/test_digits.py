"""What the models see of an image."""

import io
import struct
import zlib
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from inference.errors import UnreadableImageError, UnsupportedImageError
from inference.preprocessing.digits import decode, digest, is_small_plain_png, read_digit
from tests.conftest import digit_png

Pixels = NDArray[np.uint8]


def drawn(
    text: str = "5",
    side: int = 28,
    ink: int = 255,
    paper: int = 0,
    at: tuple[float, float] = (0.5, 0.5),
) -> Pixels:
    """Draw text in the middle of a square, or elsewhere."""
    image = Image.new("L", (side, side), paper)
    font = ImageFont.load_default(size=round(side * 0.6))
    ImageDraw.Draw(image).text((at[0] * side, at[1] * side), text, fill=ink, font=font, anchor="mm")
    return np.asarray(image)


def encoded(pixels: Pixels | Image.Image, kind: str = "PNG", **options: Any) -> bytes:
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def test_a_28x28_digit_with_ink_high_passes_unchanged() -> None:
    digit = drawn()
    assert (read_digit(encoded(digit)) == digit).all()


def test_a_28x28_digit_on_light_paper_is_only_inverted() -> None:
    digit = drawn()
    assert (read_digit(encoded(255 - digit)) == digit).all()


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P", "LA"])
def test_a_28x28_digit_is_the_same_in_every_colour_mode(mode: str) -> None:
    digit = drawn()
    assert (read_digit(encoded(Image.fromarray(digit).convert(mode))) == digit).all()


@pytest.mark.parametrize("kind", ["PNG", "BMP", "GIF", "WEBP"])
def test_lossless_types_give_the_same_pixels(kind: str) -> None:
    digit = drawn(side=140)
    options = {"lossless": True} if kind == "WEBP" else {}
    assert (decode(encoded(digit, kind, **options)) == digit).all()


def test_jpeg_gives_nearly_the_same_pixels() -> None:
    digit = drawn(side=140)
    assert np.abs(decode(encoded(digit, "JPEG", quality=95)).astype(int) - digit).max() < 30


@pytest.mark.parametrize("at", [(0.3, 0.3), (0.7, 0.3), (0.5, 0.72)])
@pytest.mark.parametrize("side", [40, 280, 1000])
def test_place_and_size_of_the_digit_do_not_matter(at: tuple[float, float], side: int) -> None:
    centred = read_digit(encoded(drawn(side=280))).astype(int)
    moved = read_digit(encoded(drawn(side=side, ink=0, paper=255, at=at))).astype(int)
    assert np.abs(centred - moved).mean() < 12


def test_the_digit_fills_a_box_of_20_around_its_centre_of_mass() -> None:
    pixels = read_digit(encoded(drawn(side=300, at=(0.3, 0.4)))).astype(float)
    rows, columns = np.flatnonzero(pixels.any(axis=1)), np.flatnonzero(pixels.any(axis=0))
    centre = [(pixels.sum(axis=axis) @ np.arange(28)) / pixels.sum() for axis in (1, 0)]
    assert max(rows[-1] - rows[0], columns[-1] - columns[0]) + 1 == 20
    assert centre == pytest.approx([14, 14], abs=0.51)


@pytest.mark.parametrize(("ink", "paper"), [(60, 200), (230, 90), (120, 255)])
def test_faint_ink_on_grey_paper_becomes_full_ink_on_zero(ink: int, paper: int) -> None:
    pixels = read_digit(encoded(drawn(side=140, ink=ink, paper=paper)))
    assert (pixels.max(), int(np.median(pixels))) == (255, 0)


@pytest.mark.parametrize("shade", [0, 127, 128, 255])
def test_an_image_without_ink_is_zeros(shade: int) -> None:
    assert not read_digit(encoded(np.full((100, 60), shade, np.uint8))).any()


def test_a_stroke_of_one_pixel_in_a_large_image_stays_visible() -> None:
    image = Image.new("L", (1000, 1000), 255)
    ImageDraw.Draw(image).line((500, 100, 500, 900), fill=0, width=1)
    assert read_digit(encoded(image)).max() == 255


@pytest.mark.parametrize("side", range(560, 700, 20))
def test_two_dots_in_a_large_image_stay_visible(side: int) -> None:
    image = Image.new("L", (side, side), 255)
    image.putpixel((30, 30), 0)
    image.putpixel((side - 30, side - 30), 0)
    assert read_digit(encoded(image)).max() == 255


@pytest.mark.parametrize("mode", ["L", "RGBA"])
def test_the_largest_image_is_read_like_a_small_one(mode: str) -> None:
    small = Image.fromarray(drawn(side=256, ink=0, paper=255))
    large = small.resize((4096, 4096), Image.Resampling.NEAREST).convert(mode)
    difference = read_digit(encoded(small)).astype(int) - read_digit(
        encoded(large, compress_level=1)
    )
    assert np.abs(difference).mean() < 3


def test_the_first_picture_of_a_cameras_jpeg_with_previews_is_read() -> None:
    digit = drawn(side=140)
    data = encoded(
        digit,
        "MPO",
        save_all=True,
        append_images=[Image.fromarray(digit).resize((70, 70))],
        quality=95,
    )
    assert np.abs(decode(data).astype(int) - digit).max() < 30


def test_16_bit_grey_keeps_its_high_byte() -> None:
    digit = drawn()
    assert (read_digit(encoded(Image.fromarray(digit.astype(np.uint16) * 257))) == digit).all()


def test_1_bit_and_cmyk_are_read() -> None:
    digit = ((drawn(side=56) > 127) * 255).astype(np.uint8)
    assert (decode(encoded(Image.fromarray(digit).convert("1"))) == digit).all()
    assert (
        np.abs(
            decode(encoded(Image.fromarray(digit).convert("CMYK"), "JPEG", quality=100)).astype(int)
            - digit
        ).mean()
        < 2
    )


def test_transparency_is_shown_on_white() -> None:
    image = Image.new("RGBA", (28, 28), (0, 0, 0, 0))
    image.putpixel((14, 14), (0, 0, 0, 255))
    pixels = decode(encoded(image))
    assert (pixels[0, 0], pixels[14, 14]) == (255, 0)


def test_a_palette_with_a_transparent_colour_is_shown_on_white() -> None:
    image = Image.new("P", (10, 10), 0)
    image.putpalette([0, 0, 0, 200, 0, 0])
    assert (decode(encoded(image, transparency=0)) == 255).all()


def test_a_photo_is_turned_upright_by_its_exif() -> None:
    digit = drawn("7", side=140)
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was turned by 90 degrees
    turned = encoded(Image.fromarray(digit).rotate(90), "JPEG", quality=95, exif=exif)
    assert np.abs(decode(turned).astype(int) - digit).mean() < 3


def test_a_png_without_its_end_is_read() -> None:
    digit = drawn()
    assert (read_digit(encoded(digit)[:-12]) == digit).all()


@pytest.mark.parametrize(
    "data", [b"hello", b"\x7fELF", b"<svg/>", b"%PDF-1.7", b"II*\0", b"8BPS", b"\x1f\x8b", b"RIFF\0\0\0\0WAVEfmt "],
    ids=["text", "elf", "svg", "pdf", "tiff", "psd", "gzip", "wav"],
)  # fmt: skip
def test_other_types_are_unsupported(data: bytes) -> None:
    with pytest.raises(UnsupportedImageError):
        read_digit(data)


@pytest.mark.parametrize(
    ("data", "detail"),
    [
        (b"", "empty"),
        (encoded(drawn())[:60], "broken"),
        (encoded(drawn(), "JPEG")[:200], "broken"),
        (b"\x89PNG\r\n\x1a\nnonsense", "broken"),
        (
            b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 0, 0, 8, 0, 0, 0, 0)),
            "broken|sides",
        ),
        (encoded(np.zeros((1, 4097), np.uint8)), "sides"),
        (encoded(np.zeros((12000, 12000), np.uint8)), "sides"),
        (encoded(drawn()).replace(b"IDAT", b"IDAX"), "broken"),
    ],
    ids=["empty", "cut-png", "cut-jpeg", "no-header", "0x0", "too-wide", "bomb", "no-pixels"],
)
def test_an_image_that_cannot_be_used_says_why(data: bytes, detail: str) -> None:
    with pytest.raises(UnreadableImageError, match=detail):
        read_digit(data)


@pytest.mark.parametrize("kind", ["GIF", "PNG", "WEBP"])
def test_an_animation_is_refused(kind: str) -> None:
    frames = [Image.fromarray(drawn(text)) for text in "12"]
    with pytest.raises(UnreadableImageError, match="animated"):
        read_digit(encoded(frames[0], kind, save_all=True, append_images=frames[1:]))


def test_the_digest_is_of_the_pixels_alone() -> None:
    digit = drawn()
    assert digest(read_digit(encoded(digit))) == digest(read_digit(encoded(255 - digit, "BMP")))


def test_only_what_is_built_as_a_plain_png_counts_as_read_in_microseconds(
    digits: dict[str, bytes],
) -> None:
    plain = digits["3"]
    text = zlib.compress(b"a" * 100_000)
    chunk = struct.pack(">I", len(text) + 3) + b"zTXt" + b"a\0\0" + text
    chunk += struct.pack(">I", zlib.crc32(chunk[4:]))
    assert is_small_plain_png(plain)
    assert not is_small_plain_png(plain[:33] + chunk * 60 + plain[33:])
    assert not is_small_plain_png(plain[:-12] + chunk + plain[-12:])
    assert not is_small_plain_png(digit_png("3", side=200))
