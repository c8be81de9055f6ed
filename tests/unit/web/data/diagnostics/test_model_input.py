"""Model input from the PNG of the API."""

import io

import numpy as np
import pytest
from PIL import Image

from web.data.api_types import ApiProblemError
from web.data.diagnostics.model_input import read_model_input


def png(side: int) -> bytes:
    out = io.BytesIO()
    Image.fromarray(np.arange(side * side, dtype=np.uint8).reshape(side, side)).save(out, "PNG")
    return out.getvalue()


def test_pixels_are_those_of_the_png() -> None:
    pixels = read_model_input(png(28))
    np.testing.assert_array_equal(pixels.ravel(), np.arange(784, dtype=np.uint8))


@pytest.mark.parametrize("data", [b"", b"text", png(28)[:60], png(27)])
def test_other_bytes_raise(data: bytes) -> None:
    with pytest.raises(ApiProblemError, match="Check API_URL"):
        read_model_input(data)
