"""Drawings: told from photos by their flat background, and counted."""

import io

import numpy as np
import pytest
from PIL import Image

from inference.preprocessing.drawings import (
    background_of,
    count_digits,
    count_shades,
    ink_over,
)
from inference.preprocessing.drawings import is_drawing as is_drawing_of_shades
from tests.corpus.photos.kinds import KINDS
from tests.corpus.photos.scenes import draw_digit
from tests.support.images import drawn, encoded

SHADES = [(255, 0), (0, 255), (40, 200), (100, 60), (130, 120)]


def gray_of(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)).convert("L"))


def is_drawing(gray: np.ndarray) -> bool:
    return is_drawing_of_shades(gray, count_shades(gray))


@pytest.mark.parametrize("side", [1, 28, 64, 65, 300])
def test_count_shades_counts_every_pixel(side: int) -> None:
    gray = np.random.default_rng(side).integers(0, 256, (side, 2 * side)).astype(np.uint8)
    counts = count_shades(gray)
    assert counts.tolist() == [int((gray == shade).sum()) for shade in range(256)]


@pytest.mark.parametrize("side", [28, 140])
def test_background_is_the_median_of_the_border(side: int) -> None:
    gray = drawn("8", side=side, ink=0, paper=200).copy()
    assert background_of(gray) == (200, True)
    gray[0] = 10
    assert background_of(gray) == (200, False)
    gray[:, 0] = gray[-1] = 90
    assert background_of(gray) == (90, False)


@pytest.mark.parametrize(("ink", "paper"), SHADES)
@pytest.mark.parametrize("side", [70, 140, 280, 1000])
def test_is_drawing_on_a_flat_background(side: int, ink: int, paper: int) -> None:
    assert is_drawing(drawn("8", side=side, ink=ink, paper=paper))


@pytest.mark.parametrize("quality", [50, 75, 95])
@pytest.mark.parametrize("side", [140, 280, 600])
def test_is_drawing_of_a_jpeg(side: int, quality: int) -> None:
    picture = drawn("8", side=side, ink=20, paper=250)
    assert is_drawing(gray_of(encoded(picture, "JPEG", quality=quality)))


@pytest.mark.parametrize("text", "0123456789")
def test_is_drawing_cropped_to_its_digit(text: str) -> None:
    picture = drawn(text, side=300, ink=0, paper=255)
    rows, columns = np.flatnonzero((picture < 128).any(1)), np.flatnonzero((picture < 128).any(0))
    cropped = picture[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    assert is_drawing(cropped)


@pytest.mark.parametrize("kind", KINDS)
def test_is_drawing_of_no_photo(kind: str) -> None:
    photo = KINDS[kind]("3", np.random.default_rng(5), draw_digit)
    assert not is_drawing(gray_of(photo))


def test_is_drawing_of_no_sheet_on_a_flat_table() -> None:
    rng = np.random.default_rng(0)
    picture = np.full((400, 400), 60, np.uint8)
    sheet = drawn("4", side=240, ink=40, paper=230) + rng.normal(0, 3, (240, 240))
    picture[80:320, 80:320] = sheet.clip(0, 255)
    assert not is_drawing(picture)


@pytest.mark.parametrize(("ink", "paper"), SHADES)
def test_ink_over_is_high_whichever_is_darker(ink: int, paper: int) -> None:
    picture = drawn(ink=ink, paper=paper)
    ink_high, background = ink_over(picture, count_shades(picture), paper)
    assert int(ink_high.max()) - background == abs(ink - paper)
    assert background_of(ink_high)[0] == background


@pytest.mark.parametrize("text", "0123456789")
def test_count_digits_of_one_keeps_all_ink(text: str) -> None:
    picture = drawn(text, side=280)
    counted = count_digits(picture)
    assert counted is not None
    assert counted[0] == 1
    assert counted[1] is picture


def test_count_digits_of_two_takes_one() -> None:
    counted = count_digits(np.hstack([drawn("4", side=200), drawn("2", side=200)]))
    assert counted is not None
    assert counted[0] == 2
    assert counted[1].shape[1] < 200


def test_count_digits_is_none_on_printed_lines() -> None:
    picture = drawn("4", side=280).copy()
    picture[20::40] = 200
    assert count_digits(picture) is None
