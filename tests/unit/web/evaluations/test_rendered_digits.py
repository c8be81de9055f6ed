"""Rendered digits."""

import io

from PIL import Image

from web.evaluations.rendered_digits import rendered_digits


def test_rendered_digits_are_deterministic_and_balanced() -> None:
    one, other = rendered_digits(2), rendered_digits(2)
    assert (one.digest, one.counts) == (other.digest, {str(digit): 2 for digit in range(10)})
    with Image.open(io.BytesIO(one.images[0])) as image:
        assert (image.mode, image.size) == ("L", (64, 64))
