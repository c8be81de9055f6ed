"""TensorFlow Serving's REST API: predict and classify. KServe's first protocol is a part of it."""

from collections.abc import Sequence
from typing import Any, Final

import orjson

from inference.errors import MalformedRequestError
from inference.models.version import ModelVersion
from inference.preprocessing.digits import TensorImage
from inference.protocols.exchange import (
    JSON,
    JSON_IMAGE,
    Answer,
    Question,
    decode_base64,
    version_header,
)
from inference.protocols.formats.tensor import MAX_PIXEL, count_images, flatten, to_array, to_pixels
from inference.runtime.outputs import Outputs

NAME: Final = "tfs"
INPUT, BASE64 = "image", "b64"
SCALES = {"": 1, "serving_default": 1, "scaled": MAX_PIXEL}  # by signature
SCALE_HINT = 'use "signature_name": "scaled"'


def read_predict(document: dict[str, Any], *, has_booleans: bool = True) -> Question:
    """Return the question of `:predict`. Raises ServiceError.

    Without `has_booleans`, the document has none.
    """
    scale = _scale(document)
    is_rows = "instances" in document
    if is_rows == ("inputs" in document):
        raise MalformedRequestError("The request must have either instances or inputs.")
    values = document["instances"] if is_rows else document["inputs"]
    if not is_rows and isinstance(values, dict):
        values = _image(values, "inputs")
    if not isinstance(values, list) or not values:
        raise MalformedRequestError("The request must have a list of at least one image.")
    if is_rows and all(_is_object(one) and BASE64 not in one for one in values):
        values = [_image(one, "An instance") for one in values]
    images = _read_images(values, scale, has_booleans=has_booleans)
    return Question(images, _encode_rows if is_rows else _encode_columns)


def read_classify(document: dict[str, Any]) -> Question:
    """Return the question of `:classify`. Raises ServiceError."""
    scale, examples = _scale(document), document.get("examples")
    if not isinstance(examples, list) or not examples or not all(map(_is_object, examples)):
        raise MalformedRequestError('The examples must be objects: {"image": [...]}.')
    images = [_image(example, "An example") for example in examples]
    return Question(_read_images(images, scale), _encode_classes)


def _scale(document: dict[str, Any]) -> int:
    signature = document.get("signature_name", "")
    if not isinstance(signature, str) or signature not in SCALES:
        raise MalformedRequestError("The signature_name must be serving_default or scaled.")
    return SCALES[signature]


def _is_object(value: Any) -> bool:
    return isinstance(value, dict)


def _image(document: dict[str, Any], noun: str) -> Any:
    if document.keys() != {INPUT}:
        raise MalformedRequestError(f"{noun} must have one value, image.")
    return document[INPUT]


def _read_images(
    values: list[Any], scale: int, *, has_booleans: bool = True
) -> Sequence[bytes | TensorImage]:
    """Return the images of lists of numbers, or of objects with an image file in base64."""
    if any(map(_is_object, values)):
        if not all(_is_object(one) and one.keys() == {BASE64} for one in values):
            raise MalformedRequestError('An image must be lists of numbers, or {"b64": "..."}.')
        return [decode_base64(one[BASE64]) for one in values]
    flat, shape = flatten(values)
    images = count_images(shape)
    numbers = to_array(flat, has_booleans=has_booleans)
    pixels = to_pixels(numbers, images, scale=scale, scale_hint=SCALE_HINT)
    return [TensorImage(image, JSON_IMAGE) for image in pixels]


def _encode_rows(_name: str, version: ModelVersion, outputs: Outputs) -> Answer:
    return _answer(b'{"predictions":%b}', outputs.probabilities, version)


def _encode_columns(_name: str, version: ModelVersion, outputs: Outputs) -> Answer:
    return _answer(b'{"outputs":%b}', outputs.probabilities, version)


def _encode_classes(_name: str, version: ModelVersion, outputs: Outputs) -> Answer:
    labels = version.classes
    results = [
        [[label, value] for label, value in zip(labels, row, strict=True)]
        for row in outputs.probabilities
    ]
    return _answer(b'{"results":%b}', results, version)


def _answer(template: bytes, value: Any, version: ModelVersion) -> Answer:
    body = template % orjson.dumps(value, option=orjson.OPT_SERIALIZE_NUMPY)
    return Answer(body, JSON, (version_header(version),))
