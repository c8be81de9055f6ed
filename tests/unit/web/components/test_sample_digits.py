"""Sample digits. Their predictions are tested end to end."""

import io

from PIL import Image

from web.components.sample_digits import SAMPLE_DIGITS, draw_sample_digit


def test_each_digit_is_a_different_black_on_white_image() -> None:
    images = {draw_sample_digit(digit) for digit in SAMPLE_DIGITS}
    assert (len(SAMPLE_DIGITS), len(images)) == (10, 10)
    for data in images:
        with Image.open(io.BytesIO(data)) as image:
            assert (image.size, image.mode, image.getpixel((0, 0)), image.getextrema()) == (
                (140, 140),
                "L",
                255,
                (0, 255),
            )
