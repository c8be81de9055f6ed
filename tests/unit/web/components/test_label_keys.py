"""Keys of labels."""

import pytest

from web.components.label_keys import parse_press, shortcuts


def test_digits_are_their_own_keys() -> None:
    assert shortcuts(["0", "7", "A"]) == ["0", "7", "a"]


def test_words_are_numbered() -> None:
    assert shortcuts(["even", "odd"]) == ["1", "2"]


def test_tenth_word_has_no_key() -> None:
    assert shortcuts([f"word {number}" for number in range(10)])[8:] == ["9", ""]


def test_press_of_the_shown_image_counts() -> None:
    assert parse_press({"value": "7", "request": 3}, 3) == "7"


@pytest.mark.parametrize(
    "message", [None, "7", {"value": "7"}, {"value": "7", "request": 2}, {"request": 3}]
)
def test_late_or_invalid_press_is_dropped(message: object) -> None:
    assert parse_press(message, 3) is None
