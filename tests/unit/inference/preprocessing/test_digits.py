"""Digit normalization: any gray image becomes the canonical 28x28 pixels."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

from inference.preprocessing.canonical import fit, stretch
from inference.preprocessing.digits import (
    PreprocessedImage,
    normalize,
    pixel_digest,
    read_digit,
)
from inference.preprocessing.image_warnings import NO_DIGIT, several_digits
from tests.support.images import drawn, encoded


def test_normalize_28x28_with_high_ink_is_identity() -> None:
    digit = drawn()
    assert (read_digit(encoded(digit)) == digit).all()


def test_normalize_28x28_on_light_paper_only_inverts() -> None:
    digit = drawn()
    assert (read_digit(encoded(255 - digit)) == digit).all()


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P", "LA"])
def test_read_digit_is_equal_in_every_color_mode(mode: str) -> None:
    digit = drawn()
    assert (read_digit(encoded(Image.fromarray(digit).convert(mode))) == digit).all()


@pytest.mark.parametrize("at", [(0.3, 0.3), (0.7, 0.3), (0.5, 0.72)])
@pytest.mark.parametrize("side", [40, 280, 1000])
def test_normalize_ignores_position_and_size(at: tuple[float, float], side: int) -> None:
    centerd = read_digit(encoded(drawn(side=280))).astype(int)
    moved = read_digit(encoded(drawn(side=side, ink=0, paper=255, at=at))).astype(int)
    assert np.abs(centerd - moved).mean() < 12


def test_normalize_fits_20x20_and_centers_by_mass() -> None:
    pixels = read_digit(encoded(drawn(side=300, at=(0.3, 0.4)))).astype(float)
    rows, columns = np.flatnonzero(pixels.any(axis=1)), np.flatnonzero(pixels.any(axis=0))
    center = [(pixels.sum(axis=axis) @ np.arange(28)) / pixels.sum() for axis in (1, 0)]
    assert max(rows[-1] - rows[0], columns[-1] - columns[0]) + 1 == 20
    assert center == pytest.approx([14, 14], abs=0.51)


@pytest.mark.parametrize(("ink", "paper"), [(60, 200), (230, 90), (120, 255)])
def test_normalize_stretches_faint_ink_on_gray_paper(ink: int, paper: int) -> None:
    pixels = read_digit(encoded(drawn(side=140, ink=ink, paper=paper)))
    assert (pixels.max(), int(np.median(pixels))) == (255, 0)


@pytest.mark.parametrize("shade", [0, 127, 128, 255])
def test_normalize_without_ink_returns_zeros(shade: int) -> None:
    assert not read_digit(encoded(np.full((100, 60), shade, np.uint8))).any()


def test_normalize_keeps_a_one_pixel_stroke_visible() -> None:
    image = Image.new("L", (1000, 1000), 255)
    ImageDraw.Draw(image).line((500, 100, 500, 900), fill=0, width=1)
    assert read_digit(encoded(image)).max() == 255


@pytest.mark.parametrize("side", range(560, 700, 20))
def test_normalize_keeps_two_dots_in_a_large_image_visible(side: int) -> None:
    image = Image.new("L", (side, side), 255)
    image.putpixel((30, 30), 0)
    image.putpixel((side - 30, side - 30), 0)
    assert read_digit(encoded(image)).max() == 255


@pytest.mark.parametrize("mode", ["L", "RGBA"])
def test_normalize_largest_image_equals_a_small_one(mode: str) -> None:
    small = Image.fromarray(drawn(side=256, ink=0, paper=255))
    large = small.resize((4096, 4096), Image.Resampling.NEAREST).convert(mode)
    difference = read_digit(encoded(small)).astype(int) - read_digit(
        encoded(large, compress_level=1)
    )
    assert np.abs(difference).mean() < 3


def test_pixel_digest_depends_on_pixels_only() -> None:
    digit = drawn()
    inverted = encoded(255 - digit, "BMP")
    assert pixel_digest(read_digit(encoded(digit))) == pixel_digest(read_digit(inverted))


@pytest.mark.parametrize("side", [28, 100])
def test_preprocessed_image_keeps_size_and_bytes_of_its_file(side: int) -> None:
    data = encoded(drawn(side=side)[:, : side - 1])
    image = PreprocessedImage.from_bytes(data)
    assert (image.width, image.height, image.original) == (side - 1, side, data)
    assert (image.pixels == read_digit(data)).all()
    assert image.digest == pixel_digest(image.pixels)


def test_preprocessed_image_from_an_array_has_no_original() -> None:
    gray = drawn(side=60)
    image = PreprocessedImage.from_array(gray)
    assert (image.width, image.height, image.original) == (60, 60, None)
    assert (image.pixels == normalize(gray)).all()


@pytest.mark.parametrize("side", [28, 60])
@pytest.mark.parametrize("shade", [0, 255])
def test_preprocessed_blank_image_warns_of_no_digit(shade: int, side: int) -> None:
    blank = np.full((side, side), shade, np.uint8)
    images = PreprocessedImage.from_array(blank), PreprocessedImage.from_bytes(encoded(blank))
    assert [image.warnings for image in images] == [("no digit found",)] * 2


def test_preprocessed_digit_has_no_warnings() -> None:
    assert PreprocessedImage.from_array(drawn(side=60)).warnings == ()


@pytest.mark.parametrize("text", "0123456789")
@pytest.mark.parametrize("side", [20, 64, 65, 140, 280, 700])
def test_drawings_keep_their_pixels(side: int, text: str) -> None:
    """A canvas drawing is only fitted, whatever its size: no photo path, no warning."""
    drawing = drawn(text, side=side)
    for picture in (drawing, 255 - drawing):
        image = PreprocessedImage.from_array(picture)
        assert (image.pixels == fit(stretch(drawing, 0, 16))).all()
        assert image.warnings == ()


@pytest.mark.parametrize(("ink", "paper"), [(30, 100), (170, 100), (220, 150), (60, 150), (70, 60)])
@pytest.mark.parametrize("side", [28, 50, 140])
def test_polarity_and_contrast_come_from_the_picture(side: int, ink: int, paper: int) -> None:
    image = PreprocessedImage.from_array(drawn("3", side=side, ink=ink, paper=paper))
    expected = normalize(drawn("3", side=side)).astype(int)
    assert np.abs(image.pixels - expected).max() <= 255 / abs(ink - paper) + 1
    assert image.warnings == ()


@pytest.mark.parametrize("background", [1, 32, 230, 254])
def test_28x28_on_dark_or_light_keeps_its_pixels(background: int) -> None:
    ink = 255 if background < 128 else 0
    picture = drawn(ink=ink, paper=background)
    expected = picture if background < 128 else 255 - picture
    assert (normalize(picture) == expected).all()


@pytest.mark.parametrize("shade", [0, 7, 100, 200, 255])
@pytest.mark.parametrize("shape", [(1, 1), (8, 8), (28, 28), (64, 64), (65, 65), (300, 400)])
def test_uniform_image_is_warned_of(shape: tuple[int, int], shade: int) -> None:
    image = PreprocessedImage.from_array(np.full(shape, shade, np.uint8))
    assert image.warnings == (NO_DIGIT,)
    assert not image.pixels.any()


def test_fully_transparent_image_is_warned_of() -> None:
    for side in (28, 200):
        image = PreprocessedImage.from_bytes(encoded(Image.new("RGBA", (side, side))))
        assert image.warnings == (NO_DIGIT,)


@pytest.mark.parametrize("text", ["42", "11", "305"])
def test_drawing_of_several_digits_is_warned_of(text: str) -> None:
    picture = np.hstack([drawn(digit, side=140) for digit in text])
    image = PreprocessedImage.from_array(picture)
    assert image.warnings == (several_digits(len(text)),)
    assert any((image.pixels == normalize(drawn(digit, side=140))).mean() > 0.9 for digit in text)


def test_white_strokes_on_transparent_equal_black_on_white() -> None:
    strokes = drawn("7", side=280)
    image = Image.merge("LA", (Image.new("L", (280, 280), 255), Image.fromarray(strokes)))
    assert (read_digit(encoded(image)) == read_digit(encoded(255 - strokes))).all()


def test_image_keeps_the_size_of_a_reduced_jpeg() -> None:
    data = encoded(Image.new("L", (4100, 3000), 200), "JPEG")
    image = PreprocessedImage.from_bytes(data)
    assert (image.width, image.height, image.original) == (4100, 3000, data)
