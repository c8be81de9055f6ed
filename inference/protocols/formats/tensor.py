"""Tensors: shapes and numbers of a request to pixels. The same rules apply to every protocol.

Pixels are taken as they stand, without inversion, cropping or centering. Whole numbers from 0 to
255 are pixels, whatever their type. Nothing is guessed: an image of only 0 and 1 is valid both as
it is and as fractions of 255, so a client states the scale.
"""

import itertools
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from inference.errors import MalformedRequestError
from inference.prediction.limits import check_call_size
from inference.preprocessing.digits import SIDE, Pixels

PIXELS: Final = SIDE * SIDE
MAX_DIMENSIONS = 4
MAX_PIXEL = 255
SHAPES = (
    f"[n,{SIDE},{SIDE}], [n,{PIXELS}], [n,{SIDE},{SIDE},1], [n,1,{SIDE},{SIDE}] or [{SIDE},{SIDE}]"
)
IMAGE_SHAPES = {(SIDE, SIDE), (PIXELS,), (SIDE, SIDE, 1), (1, SIDE, SIDE)}
SCALES = (1, MAX_PIXEL)
NOT_A_BYTE = "A pixel must be a whole number from 0 to 255."
NOT_A_NUMBER = "A pixel must be a number, not a string, null, true or false."
TOLERANCE = 0.001  # of a product that should be whole

Numbers = NDArray[Any]


def count_images(shape: Sequence[int]) -> int:
    """Return the number of images in a tensor, 1 to MAX_IMAGES.

    Raises MalformedRequestError for a shape that is not one of SHAPES, and RequestTooLargeError.
    """
    if tuple(shape) == (SIDE, SIDE):
        return 1
    if tuple(shape[1:]) not in IMAGE_SHAPES:
        raise MalformedRequestError(f"The shape must be {SHAPES}.")
    images = shape[0]
    if images < 1:
        raise MalformedRequestError("The tensor is empty. Send at least one image.")
    check_call_size(images, 1)
    return images


def flatten(value: Any) -> tuple[list[Any], tuple[int, ...]]:
    """Return the elements of nested lists, in order, and the shape of the lists.

    Raises MalformedRequestError where the lists are not of one shape.
    """
    if not isinstance(value, list):
        raise MalformedRequestError("The numbers must be in lists. Send at least one image.")
    flat, shape = value, [len(value)]
    while flat and isinstance(flat[0], list):
        if set(map(type, flat)) != {list} or len(set(map(len, flat))) != 1:
            raise MalformedRequestError(f"The lists must be of one shape: {SHAPES}.")
        if len(shape) == MAX_DIMENSIONS:
            raise MalformedRequestError(f"The lists are too deep. The shape must be {SHAPES}.")
        shape.append(len(flat[0]))
        flat = list(itertools.chain.from_iterable(flat))
    return flat, tuple(shape)


def to_array(flat: list[Any], *, has_booleans: bool = True) -> Numbers:
    """Return JSON numbers as an array of shape (n,): uint8 if all are integers, else float64.

    Without `has_booleans`, their document has none. Raises MalformedRequestError for anything but
    numbers, and for integers beyond 0 to 255.
    """
    if not has_booleans and flat and type(flat[0]) is int:
        try:  # takes whole numbers and booleans, and is three times as fast as their types
            return np.frombuffer(bytes(flat), np.uint8)
        except (ValueError, TypeError, OverflowError):
            pass
    types = set(map(type, flat))
    if types == {int}:
        try:
            return np.frombuffer(bytes(flat), np.uint8)
        except (ValueError, OverflowError):
            raise MalformedRequestError(NOT_A_BYTE) from None
    if not types <= {int, float}:  # a boolean is an int to NumPy
        raise MalformedRequestError(NOT_A_NUMBER)
    return np.array(flat, np.float64)


def to_pixels(values: Numbers, images: int, *, scale: int = 1, scale_hint: str) -> Pixels:
    """Return numbers as pixels, uint8 of shape (images, 28, 28).

    `values` has images * 784 integers or floats. With a `scale` of 255 they are multiples of 1/255
    from 0 to 1. `scale_hint` tells a client how to state that. Raises MalformedRequestError.
    """
    if values.dtype == np.uint8 and scale == 1:
        return values.reshape(images, SIDE, SIDE)
    if scale != 1:
        values = _multiplied(values, scale)
    # NaN compares as neither, so this finds it, too.
    if not (values.min() >= 0 and values.max() <= MAX_PIXEL):
        raise MalformedRequestError(NOT_A_BYTE)
    pixels = values.astype(np.uint8)
    if not (pixels == values).all():
        is_fraction = scale == 1 and values.max() <= 1
        hint = f" Multiply values scaled to 0 to 1 by 255, or {scale_hint}." if is_fraction else ""
        raise MalformedRequestError(NOT_A_BYTE + hint)
    return pixels.reshape(images, SIDE, SIDE)


def parse_scale(parameters: Any, default: int = 1) -> int:
    """Return the scale in the parameters of a request, None or an object. Raises ServiceError."""
    if parameters is None:
        return default
    if not isinstance(parameters, dict):
        raise MalformedRequestError("The parameters must be an object.")
    scale = parameters.get("scale", default)
    if isinstance(scale, bool) or scale not in SCALES:
        raise MalformedRequestError("The parameter scale must be 1 or 255.")
    return int(scale)


def _multiplied(values: Numbers, scale: int) -> Numbers:
    """Return values times a scale: floats within TOLERANCE of a whole number as that number."""
    if values.dtype.kind != "f":
        return values.astype(np.float64) * scale
    with np.errstate(over="ignore", invalid="ignore"):
        # In their own type, where each k / 255 gives k again, also with the 11 bits of float16.
        scaled = values * values.dtype.type(scale)
        whole = np.rint(scaled)
        result: Numbers = np.where(np.abs(scaled - whole) <= TOLERANCE, whole, scaled)
    return result
