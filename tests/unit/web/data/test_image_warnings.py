"""Words for the warnings of an image."""

import pytest

from inference.preprocessing import image_warnings
from web.data.image_warnings import short_warning, warning_advice, warning_title


@pytest.mark.parametrize(
    ("warnings", "title", "short"),
    [
        ((), "", ""),
        ((image_warnings.NO_DIGIT,), "No digit found in this image", "No digit found"),
        (
            (image_warnings.several_digits(2),),
            "Several digits (2): the models read one of them",
            "Several digits (2)",
        ),
        (("upside down", "torn"), "Upside down. Torn", "Upside down; Torn"),
    ],
)
def test_warnings_in_words(warnings: tuple[str, ...], title: str, short: str) -> None:
    assert (warning_title(warnings), short_warning(warnings)) == (title, short)


@pytest.mark.parametrize(
    ("warning", "advice"),
    [
        (image_warnings.NO_DIGIT, "a single digit that stands out"),
        (image_warnings.several_digits(3), "a picture of each digit"),
    ],
)
def test_advice_is_about_the_warning(warning: str, advice: str) -> None:
    assert advice in warning_advice((warning,))
