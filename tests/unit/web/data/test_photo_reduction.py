"""Photos become files that the API accepts, and hostile files an error."""

import io
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from PIL import Image, ImageDraw

from inference.preprocessing.digits import read_digit
from tests.support.photos import noisy_photo
from web.data import photo_reduction
from web.data.photo_reduction import MAX_API_BYTES, UnusablePhotoError, reduce_photo

NOISE = np.random.default_rng(0).integers(0, 256, (1300, 1300, 4), np.uint8)


def encoded(image: Image.Image, file_format: str, **options: Any) -> bytes:
    out = io.BytesIO()
    image.save(out, file_format, **options)
    return out.getvalue()


def opened(data: bytes) -> Image.Image:
    return Image.open(io.BytesIO(data))


@pytest.mark.slow
@pytest.mark.parametrize("orientation", [1, 6])
@pytest.mark.parametrize("is_progressive", [False, True])
def test_photo_of_12_megapixels_shows_the_same_digit(
    orientation: int,
    is_progressive: bool,  # noqa: FBT001
) -> None:
    photo = noisy_photo("7", orientation=orientation, progressive=is_progressive)
    assert len(photo) > 2 * MAX_API_BYTES
    reduced = reduce_photo(photo)
    assert (opened(reduced).size, len(reduced) <= MAX_API_BYTES) == ((2000, 1500), True)
    assert "exif" not in opened(reduced).info
    difference = read_digit(photo).astype(int) - read_digit(reduced)
    assert np.abs(difference).mean() < 2


@pytest.mark.parametrize("data", [b"", b"text", encoded(Image.new("L", (60, 60)), "PNG")])
def test_small_file_is_unchanged(data: bytes) -> None:
    assert reduce_photo(data) is data


def test_small_photo_with_a_long_side_is_reduced() -> None:
    photo = encoded(Image.new("RGB", (4608, 2592), "white"), "JPEG")
    assert opened(reduce_photo(photo)).size == (2048, 1152)


def test_png_with_a_long_side_is_left_to_the_api() -> None:
    image = encoded(Image.new("L", (5000, 10)), "PNG")
    assert reduce_photo(image) is image


@pytest.mark.parametrize(
    ("image", "file_format", "mode"),
    [
        (Image.fromarray(NOISE), "PNG", "RGBA"),
        (Image.fromarray(NOISE[..., :3]), "BMP", "RGB"),
        (Image.fromarray(NOISE[..., :3].copy().view()), "PNG", "RGB"),
        (Image.fromarray(NOISE[..., :2].copy().view(np.uint16)[..., 0]), "PNG", "L"),
        (Image.fromarray(np.tile(NOISE[..., 0], (2, 2))), "PNG", "L"),
        (
            Image.fromarray(NOISE.reshape(1300, -1, 4)).convert("CMYK").resize((2600, 2600)),
            "JPEG",
            "RGB",
        ),
    ],
    ids=["RGBA", "BMP", "RGB", "16 bits", "gray", "CMYK"],
)
def test_large_file_of_another_kind_is_reduced(
    image: Image.Image, file_format: str, mode: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = encoded(image, file_format)
    assert len(data) > MAX_API_BYTES
    monkeypatch.setattr(photo_reduction, "REDUCED_SIDE", 400)
    reduced = reduce_photo(data)
    assert (opened(reduced).mode, max(opened(reduced).size)) == (mode, 400)
    assert len(reduced) <= MAX_API_BYTES


def test_16_bits_keep_their_high_byte() -> None:
    deep = NOISE.copy().view(np.uint16)[..., 0] % 0x0F00
    deep[:, 650:] += 0xF000
    assert len(encoded(Image.fromarray(deep), "PNG")) > MAX_API_BYTES
    shades = np.asarray(opened(reduce_photo(encoded(Image.fromarray(deep), "PNG"))))
    assert (shades[:, :600].max() < 0x20, shades[:, 700:].min() > 0xE0) == (True, True)


def test_transparency_is_kept() -> None:
    picture = NOISE.copy()
    picture[..., 3] = 0
    picture[400:900, 400:900, 3] = 255
    reduced = opened(reduce_photo(encoded(Image.fromarray(picture), "PNG"))).getchannel("A")
    half = reduced.width // 2
    assert (reduced.getpixel((10, 10)), reduced.getpixel((half, half))) == (0, 255)


@pytest.mark.slow
def test_drawing_is_reduced_without_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    drawing = Image.new("RGB", (3000, 3000), (250, 250, 245))
    ImageDraw.Draw(drawing).line((1500, 500, 1500, 2500), (20, 30, 90), 200)
    monkeypatch.setattr(photo_reduction, "MAX_API_BYTES", 20_000)
    data = encoded(drawing, "PNG", compress_level=1)
    assert len(data) > 20_000
    reduced = opened(reduce_photo(data))
    assert (reduced.format, reduced.size) == ("PNG", (2048, 2048))
    shades = np.unique(np.asarray(reduced)[:, :800].reshape(-1, 3), axis=0).tolist()
    assert shades == [[250, 250, 245]]


def test_incompressible_picture_becomes_small_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(photo_reduction, "MAX_API_BYTES", 20_000)
    reduced = reduce_photo(encoded(Image.fromarray(NOISE[..., :3].copy()), "JPEG"))
    assert len(reduced) <= 20_000


def large(data: bytes) -> bytes:
    return data + bytes(MAX_API_BYTES)


def animation() -> bytes:
    frames = [Image.new("L", (20, 20), shade) for shade in (0, 255)]
    return encoded(frames[0], "GIF", save_all=True, append_images=frames[1:])


def scans() -> bytes:
    photo = encoded(Image.new("L", (4096, 4096), 99), "JPEG", progressive=True)
    end = photo.rindex(b"\xff\xd9")
    return photo[:end] + photo[photo.rindex(b"\xff\xda") : end] * 70_000 + photo[end:]


def bomb(width: int, height: int) -> bytes:
    photo = bytearray(encoded(Image.new("L", (16, 16)), "JPEG"))
    frame = photo.index(b"\xff\xc0")
    photo[frame + 5 : frame + 9] = height.to_bytes(2) + width.to_bytes(2)
    return bytes(photo)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: b"text" * 2**20, "broken or not a supported image"),
        (lambda: noisy_photo()[: 3 * 2**20], "broken or not a supported image"),
        (lambda: large(bomb(60_000, 60_000)), "too many pixels"),
        (lambda: large(bomb(9000, 9000)), "too many pixels"),
        (lambda: bomb(9000, 9000), "too many pixels"),
        (lambda: large(encoded(Image.new("L", (5000, 10)), "PNG")), "too many pixels"),
        (lambda: large(animation()), "animated"),
        (scans, "too many parts"),
    ],
    ids=["text", "cut off", "60,000", "81 MP", "small 81 MP", "long PNG", "animation", "scans"],
)
def test_hostile_file_is_an_error_in_two_sentences(make: Callable[[], bytes], message: str) -> None:
    data = make()
    started = time.perf_counter()
    with pytest.raises(UnusablePhotoError, match=message) as caught:
        reduce_photo(data)
    assert str(caught.value).count(". ") == 1
    assert time.perf_counter() - started < 1
