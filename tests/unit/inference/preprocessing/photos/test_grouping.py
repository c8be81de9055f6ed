"""Grouping: parts of one digit, several digits, and what is not a digit."""

import numpy as np
import pytest
from PIL import Image, ImageDraw

from inference.preprocessing.photos.components import find_components
from inference.preprocessing.photos.grouping import Digits, find_digits
from tests.corpus.photos.strokes import Hand, draw
from tests.support.images import drawn


def found(picture: np.ndarray, min_side: float = 12) -> Digits | None:
    return find_digits(find_components(picture > 127), min_side)


@pytest.mark.parametrize("text", "0123456789")
def test_find_digits_finds_one(text: str) -> None:
    digits = found(drawn(text, side=200))
    assert digits is not None
    assert digits.total == 1


@pytest.mark.parametrize("text", ["42", "10", "11", "888", "35718"])
def test_find_digits_counts_a_row(text: str) -> None:
    picture = np.hstack([drawn(digit, side=160) for digit in text])
    digits = found(picture)
    assert digits is not None
    assert digits.total == len(text)


def test_find_digits_counts_a_sheet() -> None:
    row = np.hstack([drawn(digit, side=90) for digit in "01234"])
    digits = found(np.vstack([row, row, row]))
    assert digits is not None
    assert digits.total == 15


@pytest.mark.parametrize("label", "457")
def test_find_digits_joins_separate_strokes(label: str) -> None:
    hand = Hand(width=0.06, wobble=0)
    picture = draw(
        (300, 300), label, (150, 150), 180, hand, np.random.default_rng(0), is_split=True
    )
    components = find_components(picture > 0.5)
    digits = find_digits(components, 12)
    assert digits is not None
    assert digits.total == 1
    assert digits.parts.all()


def test_find_digits_ignores_specks_and_blots() -> None:
    image = Image.fromarray(drawn("3", side=200))
    pen = ImageDraw.Draw(image)
    pen.ellipse((20, 20, 24, 24), fill=255)
    pen.ellipse((170, 90, 190, 110), fill=255)
    digits = found(np.asarray(image))
    assert digits is not None
    assert digits.total == 1
    assert int(digits.parts.sum()) == 1


def test_find_digits_takes_the_largest_then_the_central() -> None:
    small, large = drawn("4", side=100), drawn("4", side=200)
    picture = np.zeros((200, 300), np.uint8)
    picture[50:150, :100], picture[:, 100:] = small, large
    digits = found(picture)
    assert digits is not None
    assert digits.box[2] > 100
    central = found(np.hstack([drawn("4", side=100)] * 3))
    assert central is not None
    assert 100 < central.box[2] < 200


@pytest.mark.parametrize("box", [(0, 60, 300, 62), (100, 100, 140, 104), (50, 50, 90, 90)])
def test_find_digits_is_none_without_strokes(box: tuple[int, int, int, int]) -> None:
    picture = np.zeros((200, 300), np.uint8)
    picture[box[1] : box[3], box[0] : box[2]] = 255
    assert found(picture) is None
