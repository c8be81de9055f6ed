"""Pictures of errors: images in a row, with gaps, and the mean of a group."""

import io

import numpy as np
from PIL import Image

from web.charts.diagnostics.error_picture import GAP, SCALE, mean_image, side_by_side


def gray(value: int) -> np.typing.NDArray[np.uint8]:
    return np.full((28, 28), value, np.uint8)


def test_images_are_in_a_row_with_transparent_gaps() -> None:
    picture = Image.open(io.BytesIO(side_by_side([gray(10), None, gray(200)])))
    assert (picture.mode, picture.size) == ("LA", (SCALE * (3 * 28 + 2 * GAP), SCALE * 28))
    middle = SCALE * 14
    assert [picture.getpixel((SCALE * x + 1, middle)) for x in (5, 28, 40, 65)] == [
        (10, 255),
        (0, 0),
        (0, 0),
        (200, 255),
    ]


def test_mean_image_is_the_mean_of_each_pixel() -> None:
    assert (mean_image(np.stack([gray(0), gray(255), gray(255)])) == 170).all()
