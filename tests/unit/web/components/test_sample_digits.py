"""The example digits. What models read in them is tested where models are."""

import io

from PIL import Image

from web.components.sample_digits import EXAMPLES, draw_example


def test_each_digit_is_black_on_white_and_another_picture() -> None:
    pictures = {draw_example(digit) for digit in EXAMPLES}
    assert (len(EXAMPLES), len(pictures)) == (10, 10)
    for picture in pictures:
        with Image.open(io.BytesIO(picture)) as image:
            assert (image.size, image.mode, image.getpixel((0, 0)), image.getextrema()) == (
                (140, 140),
                "L",
                255,
                (0, 255),
            )
