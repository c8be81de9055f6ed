"""Words for the warnings of an image."""

import pytest

from inference.preprocessing import image_warnings
from web.data.image_warnings import short_warning, warning_title


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
