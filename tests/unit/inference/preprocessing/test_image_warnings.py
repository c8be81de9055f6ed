"""Image warnings: their texts are part of the API."""

from inference.preprocessing.image_warnings import NO_DIGIT, several_digits


def test_warnings_have_the_documented_texts() -> None:
    assert (NO_DIGIT, several_digits(2)) == ("no digit found", "several digits (2)")
