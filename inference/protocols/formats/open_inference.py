"""Open Inference Protocol: inference requests to images, and outputs to inference responses.

A request is a JSON object, or one followed by binary tensors (`open_inference_binary`).
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import orjson

from inference.errors import MalformedRequestError
from inference.models.version import ModelVersion
from inference.prediction.limits import check_call_size
from inference.preprocessing.digits import TensorImage
from inference.protocols.exchange import (
    BINARY_IMAGE,
    JSON,
    JSON_IMAGE,
    OCTETS,
    Answer,
    decode_base64,
    version_header,
)
from inference.protocols.formats import open_inference_binary as binary
from inference.protocols.formats.tensor import (
    PIXELS,
    count_images,
    flatten,
    parse_scale,
    to_array,
    to_pixels,
)
from inference.runtime.outputs import Outputs

NAME: Final = "oip"
INPUT, OUTPUT = "image", "probabilities"
BYTES: Final = "BYTES"
INTEGERS = frozenset(["UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16", "INT32", "INT64"])
DATATYPES = {
    "UINT8": "<u1", "UINT16": "<u2", "UINT32": "<u4", "UINT64": "<u8",
    "INT8": "<i1", "INT16": "<i2", "INT32": "<i4", "INT64": "<i8",
    "FP16": "<f2", "FP32": "<f4", "FP64": "<f8",
}  # fmt: skip
SCALE_HINT = 'send the parameter "scale": 255'
MAX_ID_CHARACTERS = 1024
MAX_SIZES = 8  # of a shape
NEEDS_HEADER = (
    "A binary tensor needs the header Inference-Header-Content-Length, the length in bytes of the "
    "JSON in front of it."
)


@dataclass(frozen=True, slots=True)
class InferHead:
    """The JSON of an inference request, checked.

    images: number of images, which the shape states.
    binary_bytes: length of the tensor behind the JSON, None where the numbers are in `data`.
    classification: number of classes per image to answer with, None for the probabilities.
    """

    id: str | None
    datatype: str
    images: int
    scale: int
    binary_bytes: int | None
    data: list[Any] | None
    classification: int | None
    is_binary_answer: bool

    def read(
        self, tensor: bytes | memoryview, *, has_booleans: bool = True
    ) -> Sequence[bytes | TensorImage]:
        """Return the images; `tensor` holds the bytes behind the JSON. Raises ServiceError.

        Without `has_booleans`, the JSON has none.
        """
        if self.binary_bytes is None:
            if tensor:
                raise MalformedRequestError(
                    "The body has bytes behind the JSON, and no input has binary_data_size."
                )
            return self._read_json(has_booleans=has_booleans)
        if self.binary_bytes != len(tensor):
            raise MalformedRequestError(
                f"binary_data_size is not the number of bytes behind the JSON. {NEEDS_HEADER}"
            )
        if self.datatype == BYTES:
            return binary.split_elements(bytes(tensor), self.images)
        values = np.frombuffer(tensor, DATATYPES[self.datatype])
        pixels = to_pixels(values, self.images, scale=self.scale, scale_hint=SCALE_HINT)
        return [TensorImage(image, BINARY_IMAGE) for image in pixels]

    def _read_json(self, *, has_booleans: bool) -> Sequence[bytes | TensorImage]:
        flat, _ = flatten(self.data)
        if len(flat) != (self.images if self.datatype == BYTES else self.images * PIXELS):
            raise MalformedRequestError("The shape is not that of the data.")
        if self.datatype == BYTES:
            return [decode_base64(text) for text in flat]
        values = to_array(flat, has_booleans=has_booleans)
        if values.dtype.kind == "f":
            if self.datatype in INTEGERS:
                raise MalformedRequestError("The data of an integer datatype must be integers.")
            with np.errstate(over="ignore"):  # infinity is refused
                values = values.astype(DATATYPES[self.datatype])
        pixels = to_pixels(values, self.images, scale=self.scale, scale_hint=SCALE_HINT)
        return [TensorImage(image, JSON_IMAGE) for image in pixels]

    def encode(self, name: str, version: ModelVersion, outputs: Outputs) -> Answer:
        """Return the inference response for a model that the client called `name`."""
        rows = outputs.probabilities
        if self.classification is None:
            texts = None
            output: dict[str, Any] = {"name": OUTPUT, "datatype": "FP32", "shape": list(rows.shape)}
        else:
            texts = classify(outputs, version.classes, self.classification)
            shape = [len(rows), min(self.classification, len(version.classes))]
            output = {"name": OUTPUT, "datatype": BYTES, "shape": shape}
        document: dict[str, Any] = {"model_name": name, "model_version": str(version.version)}
        if self.id is not None:
            document["id"] = self.id
        if name != version.name:
            document["parameters"] = {"model": f"{version.name}@{version.version}"}
        document["outputs"] = [output]
        header = version_header(version)
        if not self.is_binary_answer:
            output["data"] = rows.ravel() if texts is None else texts
            body = orjson.dumps(document, option=orjson.OPT_SERIALIZE_NUMPY)
            return Answer(body, JSON, (header,))
        tensor = rows.astype("<f4").tobytes() if texts is None else binary.join_elements(texts)
        output["parameters"] = {"binary_data_size": len(tensor)}
        head = orjson.dumps(document)
        return Answer(head + tensor, OCTETS, (header, (binary.HEADER, b"%d" % len(head))))


def classify(outputs: Outputs, labels: Sequence[str], count: int) -> list[str]:
    """Return `value:index:label` of the most probable classes of each image, highest first."""
    rows = outputs.probabilities
    best = np.argsort(-rows, axis=1, kind="stable")[:, :count].tolist()
    return [
        f"{row[index]:f}:{index}:{labels[index]}"
        for row, indexes in zip(rows.tolist(), best, strict=True)
        for index in indexes
    ]


def parse_head(document: dict[str, Any]) -> InferHead:
    """Return the JSON of an inference request, checked. Raises ServiceError."""
    own = document.get("id")
    if own is not None and (not isinstance(own, str) or len(own) > MAX_ID_CHARACTERS):
        raise MalformedRequestError(
            f"The id must be a string of at most {MAX_ID_CHARACTERS} characters."
        )
    parameters = document.get("parameters")
    tensor = _only_object(document.get("inputs"), "input", INPUT, is_required=True)
    own_parameters = tensor.get("parameters")
    scale = parse_scale(own_parameters, parse_scale(parameters))
    datatype = tensor.get("datatype")
    if datatype != BYTES and (not isinstance(datatype, str) or datatype not in DATATYPES):
        raise MalformedRequestError(
            f"The datatype must be one of {', '.join(DATATYPES)}, or BYTES for image files."
        )
    images = _count(tensor.get("shape"), datatype)
    size = (own_parameters or {}).get("binary_data_size")
    data = tensor.get("data")
    if size is None:
        if not isinstance(data, list):
            raise MalformedRequestError(
                f"The input must have its numbers in data, or binary_data_size. {NEEDS_HEADER}"
            )
    elif data is not None:
        raise MalformedRequestError("The input must have data or binary_data_size, not both.")
    elif type(size) is not int or size < 0:
        raise MalformedRequestError("binary_data_size must be a number of bytes.")
    elif datatype != BYTES and size != images * PIXELS * np.dtype(DATATYPES[datatype]).itemsize:
        raise MalformedRequestError("The shape and datatype do not make binary_data_size bytes.")
    classification, is_binary = _parse_output(document.get("outputs"), parameters or {})
    return InferHead(own, datatype, images, scale, size, data, classification, is_binary)


def raw_head(size: int) -> InferHead:
    """Return what a body without JSON means: the pixels of one image, answered in binary.

    Raises MalformedRequestError for another number of bytes.
    """
    if size != PIXELS:
        raise MalformedRequestError(
            f"A body without JSON must be one image, {PIXELS} bytes of UINT8. "
            "For anything else, send the JSON and its length in Inference-Header-Content-Length."
        )
    return InferHead(None, "UINT8", 1, 1, size, None, None, is_binary_answer=True)


def _count(shape: Any, datatype: str) -> int:
    """Return the number of images in a shape. Raises ServiceError."""
    is_list = isinstance(shape, list) and 0 < len(shape) <= MAX_SIZES
    if not is_list or not all(type(size) is int and size >= 0 for size in shape):
        raise MalformedRequestError("The shape must be a list of sizes, such as [1,28,28].")
    if datatype != BYTES:
        return count_images(shape)
    images: int = math.prod(shape)
    if images < 1:
        raise MalformedRequestError("The tensor is empty. Send at least one image.")
    check_call_size(images, 1)
    return images


def _parse_output(outputs: Any, parameters: dict[str, Any]) -> tuple[int | None, bool]:
    """Return the number of classes asked for, or None, and whether the answer is binary."""
    is_binary = _boolean(parameters, "binary_data_output", default=False)
    if outputs is None or outputs == []:
        return None, is_binary
    own = _only_object(outputs, "output", OUTPUT, is_required=False).get("parameters") or {}
    if not isinstance(own, dict):
        raise MalformedRequestError("The parameters must be an object.")
    classes = own.get("classification")
    if classes is not None and (type(classes) is not int or classes < 0):
        raise MalformedRequestError("classification must be a number of classes.")
    return classes or None, _boolean(own, "binary_data", default=is_binary)


def _boolean(parameters: dict[str, Any], name: str, *, default: bool) -> bool:
    value = parameters.get(name, default)
    if not isinstance(value, bool):
        raise MalformedRequestError(f"{name} must be true or false.")
    return value


def _only_object(objects: Any, noun: str, name: str, *, is_required: bool) -> dict[str, Any]:
    """Return the only element of a list, an object of this name."""
    if not isinstance(objects, list) or len(objects) != 1 or not isinstance(objects[0], dict):
        raise MalformedRequestError(f"The request must have one {noun}, {name}.")
    found: dict[str, Any] = objects[0]
    if found.get("name", None if is_required else name) != name:
        raise MalformedRequestError(f"The name of the {noun} must be {name}.")
    return found
