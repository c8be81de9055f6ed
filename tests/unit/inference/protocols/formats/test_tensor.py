"""Tensors: which shapes and numbers are pixels, and which are refused."""

from typing import Any

import numpy as np
import pytest

from inference.errors import MalformedRequestError, RequestTooLargeError
from inference.protocols.formats.tensor import (
    count_images,
    flatten,
    parse_scale,
    to_array,
    to_pixels,
)

EVERY_BYTE = np.arange(256).repeat(49).reshape(16, 28, 28)  # 16 images of all 256 values
NUMBERS = ["u1", "<u2", "<u4", "<u8", "<i2", "<i4", "<i8", "<f2", "<f4", "<f8"]


def convert(values: Any, scale: int = 1) -> Any:
    array = np.asarray(values)
    return to_pixels(array.reshape(-1), array.size // 784, scale=scale, scale_hint="send a scale")


@pytest.mark.parametrize(
    ("shape", "images"),
    [
        ((28, 28), 1),
        ((28, 28, 28), 28),
        ((1000, 28, 28), 1000),
        ((3, 784), 3),
        ((2, 28, 28, 1), 2),
        ((2, 1, 28, 28), 2),
    ],
)
def test_count_images(shape: tuple[int, ...], images: int) -> None:
    assert count_images(shape) == images


@pytest.mark.parametrize("shape", [(784,), (28, 28, 1), (1, 28, 28, 3), (2, 28, 27), (0, 28, 28)])
def test_another_shape_is_refused(shape: tuple[int, ...]) -> None:
    with pytest.raises(MalformedRequestError):
        count_images(shape)


@pytest.mark.parametrize("images", [1001, 2**62])
def test_too_many_images_are_refused(images: int) -> None:
    with pytest.raises(RequestTooLargeError):
        count_images((images, 784))


@pytest.mark.parametrize("datatype", NUMBERS)
def test_whole_numbers_of_any_type_are_pixels(datatype: str) -> None:
    assert (convert(EVERY_BYTE.astype(datatype)) == EVERY_BYTE).all()


def test_int8_holds_pixels_up_to_127() -> None:
    assert (convert(np.full((28, 28), 127, np.int8)) == 127).all()


@pytest.mark.parametrize("datatype", ["<f2", "<f4", "<f8"])
def test_scale_gives_every_byte_back(datatype: str) -> None:
    assert (convert((EVERY_BYTE / 255).astype(datatype), 255) == EVERY_BYTE).all()
    assert (convert(EVERY_BYTE.astype(datatype) / 255, 255) == EVERY_BYTE).all()


@pytest.mark.parametrize(
    ("value", "datatype"),
    [
        (-1, "i1"), (-1, "i8"), (256, "<u2"), (2**63, "<u8"), (255.5, "<f8"), (np.nan, "<f4"),
        (np.inf, "<f2"), (-np.inf, "<f8"), (1e300, "<f8"), (-0.5, "<f2"), (0.3, "<f4"),
    ],
)  # fmt: skip
def test_number_that_is_no_byte_is_refused(value: float, datatype: str) -> None:
    image = np.zeros((28, 28), datatype)
    image[3, 3] = value
    with pytest.raises(MalformedRequestError, match="whole number"):
        convert(image)


def test_fractions_of_one_are_told_about_the_scale() -> None:
    with pytest.raises(MalformedRequestError, match=r"by 255, or send a scale\.$"):
        convert(EVERY_BYTE / 255)


@pytest.mark.parametrize("value", [0.5, 1.01, -0.1, 1e308, np.nan, 0.00393])
def test_scaled_number_that_is_no_byte_is_refused(value: float) -> None:
    image = np.zeros((28, 28))
    image[3, 3] = value
    with pytest.raises(MalformedRequestError):
        convert(image, 255)


def test_scaled_integers_are_0_and_1() -> None:
    ink = (EVERY_BYTE > 127).astype(np.uint8)
    assert (convert(ink, 255) == ink * 255).all()
    assert (convert(ink) == ink).all()
    with pytest.raises(MalformedRequestError):
        convert(ink * 2, 255)


def test_flatten_returns_the_elements_and_the_shape() -> None:
    assert flatten([[[1], [2]], [[3], [4]]]) == ([1, 2, 3, 4], (2, 2, 1))
    assert flatten([]) == ([], (0,))


@pytest.mark.parametrize("value", [[[1, 2], [3]], [[1], 2], [[[[[1]]]]], None, {"0": 1}, 7])
def test_lists_of_no_one_shape_are_refused(value: Any) -> None:
    with pytest.raises(MalformedRequestError):
        flatten(value)


def test_integers_are_bytes_and_other_numbers_floats() -> None:
    assert to_array([0, 255]).dtype == np.uint8
    assert to_array([0, 0.5]).dtype == np.float64


@pytest.mark.parametrize("value", [True, None, "1", [1], {}, -1, 256, 2**70])
def test_element_that_is_no_number_is_refused(value: Any) -> None:
    with pytest.raises(MalformedRequestError):
        to_array([5, value])


def test_scale_of_parameters() -> None:
    assert parse_scale(None) == 1
    assert parse_scale({"other": 3}, 255) == 255
    assert parse_scale({"scale": 255.0}) == 255


@pytest.mark.parametrize("value", [None, "1", [1], {}, -1, 256, 2**70])
def test_element_that_is_no_number_is_refused_also_without_booleans(value: Any) -> None:
    with pytest.raises(MalformedRequestError):
        to_array([5, value], has_booleans=False)
    assert to_array([5, 0.5], has_booleans=False).tolist() == [5, 0.5]
    assert to_array([5, 6], has_booleans=False).dtype == np.uint8


@pytest.mark.parametrize("scale", [True, "255", 254, None, [255]])
def test_another_scale_is_refused(scale: Any) -> None:
    with pytest.raises(MalformedRequestError):
        parse_scale({"scale": scale})
    with pytest.raises(MalformedRequestError):
        parse_scale([1])
