"""Thumbnails of stored predictions."""

import io

from PIL import Image

from tests.support.tracking import make_prediction
from web.components.logged_images import describe_prediction, pixel_png


def test_pixels_are_black_on_white() -> None:
    image = Image.open(io.BytesIO(pixel_png(bytes([255]) + bytes(783))))
    assert (image.size, image.getpixel((0, 0)), image.getpixel((1, 0))) == ((28, 28), 0, 255)


def test_wrong_answer_shows_its_label() -> None:
    assert describe_prediction(make_prediction()) == "**7** 90\N{NO-BREAK SPACE}%"
    wrong = describe_prediction(make_prediction(true_label="1"))
    assert wrong == ":red[**7** 90\N{NO-BREAK SPACE}% \N{RIGHTWARDS ARROW} 1]"
    assert describe_prediction(make_prediction(true_label="7")).startswith(":green[")
