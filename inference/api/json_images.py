"""JSON images: nested lists of numbers to pixels, with the path of whatever is wrong in them."""

import json
from typing import Any

import numpy as np

from inference.errors import InvalidValueError, MalformedRequestError, RequestTooLargeError
from inference.preprocessing.digits import SIDE, Pixels

MAX_PIXEL = 255
SEND_FILES = "Send image files as multipart/form-data in the field images."
NOT_A_BYTE = "A pixel must be a whole number from 0 to 255."


def parse_document(data: bytes, max_images: int) -> Any:
    """Return the JSON document of a body, {} where it is not JSON in UTF-8.

    A document that is deeper or wider than `max_images` images would take seconds and a gigabyte to
    parse: it raises RequestTooLargeError instead.
    """
    max_lists = 1 + max_images * (1 + SIDE)
    max_commas = max_images * (1 + SIDE + SIDE * SIDE)
    if data.count(b"[") > max_lists or data.count(b",") > max_commas:
        raise RequestTooLargeError(
            f"One call takes at most {max_images} images of {SIDE} rows of {SIDE} numbers. "
            "Send the rest in further calls."
        )
    try:
        return json.loads(data.decode())
    except (ValueError, RecursionError):
        return {}


def parse_images(document: Any, max_images: int) -> list[Pixels]:
    """Return the images of a document, each uint8 of shape (28, 28).

    The document is an object whose only field `images` is a list of images, each 28 lists of 28
    whole numbers 0 to 255. Raises MalformedRequestError for another document, RequestTooLargeError
    for more than `max_images`, and InvalidValueError, with its path, for another shape or value.
    """
    if not isinstance(document, dict) or not isinstance(document.get("images"), list):
        raise MalformedRequestError(
            'The body must be JSON, {"images": [...]}, with a list of images. '
            f"Each image is 28 rows of 28 numbers. {SEND_FILES}"
        )
    if len(document) > 1:
        raise MalformedRequestError("The body has a field other than images. Remove it.")
    images = document["images"]
    if len(images) > max_images:
        raise RequestTooLargeError(
            f"One call takes at most {max_images} images. Send the rest in further calls."
        )
    if not images:
        raise InvalidValueError("The list is empty. Send at least one image.", "images")
    return [_parse_image(image, f"images/{index}") for index, image in enumerate(images)]


def _parse_image(image: Any, path: str) -> Pixels:
    if not isinstance(image, list) or len(image) != SIDE:
        hint = f" {SEND_FILES}" if isinstance(image, str) else ""
        raise InvalidValueError(f"An image must be a list of {SIDE} rows.{hint}", path)
    rows = b"".join(_parse_row(row, f"{path}/{index}") for index, row in enumerate(image))
    return np.frombuffer(rows, np.uint8).reshape(SIDE, SIDE)


def _parse_row(row: Any, path: str) -> bytes:
    if not isinstance(row, list) or len(row) != SIDE:
        raise InvalidValueError(f"A row must be a list of {SIDE} numbers.", path)
    if set(map(type, row)) == {int}:  # bytes() would take booleans as numbers
        try:
            return bytes(row)
        except ValueError:
            pass
    return bytes(_parse_pixel(value, f"{path}/{index}") for index, value in enumerate(row))


def _parse_pixel(value: Any, path: str) -> int:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidValueError("A pixel must be a number.", path)
    if not 0 <= value <= MAX_PIXEL:  # false for NaN, too
        raise InvalidValueError(NOT_A_BYTE, path)
    if value != int(value):
        raise InvalidValueError(f"{NOT_A_BYTE} Multiply values scaled to 0 to 1 by 255.", path)
    return int(value)
