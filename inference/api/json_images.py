"""Images as nested lists of JSON -> pixels, with the place of whatever is wrong in them."""

from typing import Any

import numpy as np

from inference.errors import InvalidValueError, MalformedRequestError, RequestTooLargeError
from inference.preprocessing.digits import SIDE, Pixels


def read_arrays(document: Any, most: int) -> list[Pixels]:
    """Return the images of `{"images".

    [[[0..255] x28] x28, ...]}`, each uint8 of shape (28, 28), as they stand.

    Raises MalformedRequestError for another document, RequestTooLargeError for more than `most` images, and
    InvalidValueError, which says where, for another shape and for whatever is no whole number of 0 to
    255.
    """
    if not isinstance(document, dict) or not isinstance(document.get("images"), list):
        raise MalformedRequestError(
            'The body must be JSON, {"images": [...]} with a list of images, each 28 rows of 28 numbers.'
        )
    if len(document) > 1:
        raise MalformedRequestError("The body has a field that is not images.")
    images = document["images"]
    if len(images) > most:
        raise RequestTooLargeError(f"One call takes at most {most} images.")
    if not images:
        raise InvalidValueError("There must be at least one image.", "images")
    return [_pixels(image, f"images/{index}") for index, image in enumerate(images)]


def _pixels(image: Any, path: str) -> Pixels:
    if not isinstance(image, list) or len(image) != SIDE:
        raise InvalidValueError(f"An image is a list of {SIDE} rows.", path)
    return np.frombuffer(
        b"".join(_row(row, f"{path}/{index}") for index, row in enumerate(image)), np.uint8
    ).reshape(SIDE, SIDE)


def _row(row: Any, path: str) -> bytes:
    if not isinstance(row, list) or len(row) != SIDE:
        raise InvalidValueError(f"A row is a list of {SIDE} numbers.", path)
    if set(map(type, row)) == {int}:  # bytes() takes booleans for numbers
        try:
            return bytes(row)
        except ValueError:
            pass
    return bytes(_value(value, f"{path}/{index}") for index, value in enumerate(row))


def _value(value: Any, path: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidValueError("A pixel is a number.", path)
    # The range of a byte; what is not a number is not in it
    if not 0 <= value <= 255:  # noqa: PLR2004
        raise InvalidValueError("A pixel is a whole number of 0 to 255.", path)
    if value != int(value):
        raise InvalidValueError(
            "A pixel is a whole number of 0 to 255; multiply by 255 what was scaled to 0 to 1.",
            path,
        )
    return int(value)
