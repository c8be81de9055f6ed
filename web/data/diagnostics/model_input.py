"""Model input: the 28x28 pixels that the models saw, from the API's PNG."""

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from web.data.api_parsing import unexpected_response

SIDE = 28


def read_model_input(png: bytes) -> NDArray[np.uint8]:
    """Return the pixels of a view, uint8 of shape (28, 28), ink high.

    Raises ApiProblemError if the bytes are something else.
    """
    try:
        with Image.open(io.BytesIO(png), formats=["PNG"]) as view:
            if view.size == (SIDE, SIDE):
                return np.asarray(view.convert("L"))
    except (OSError, SyntaxError, ValueError) as error:  # Pillow's errors for broken PNGs
        raise unexpected_response() from error
    raise unexpected_response()
