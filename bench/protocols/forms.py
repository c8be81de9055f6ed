"""Forms: the same images as requests of each protocol, and how to read their responses."""

import json
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bench.fixtures.http_requests import CONTENT_TYPE, inference_request, predictions_request
from bench.fixtures.images import SIDE

Pixels = NDArray[np.uint8]
Floats = NDArray[np.float64]
Request = tuple[str, bytes]  # path and body

HEADER = "Inference-Header-Content-Length"
JSON_HEADERS = ("Content-Type: application/json",)
CLASSES = 10
LABELS = [str(label) for label in range(CLASSES)]


@dataclass(frozen=True)
class Form:
    """A form of request, and its headers ("Name: value").

    encode: path and body of images, as PNGs and as pixels (n, 28, 28), for a model.
    decode: probabilities (n, classes) in the body of a response.
    """

    name: str
    headers: tuple[str, ...]
    encode: Callable[[Sequence[bytes], Pixels, str], Request]
    decode: Callable[[bytes], Floats]


def _encode_native(pngs: Sequence[bytes], _pixels: Pixels, model: str) -> Request:
    """Return POST /inference for one image, POST /predictions for several."""
    if len(pngs) == 1:
        return inference_request(pngs[0], model)
    return predictions_request(pngs, [model])


def _decode_native(body: bytes) -> Floats:
    document = json.loads(body)
    if "probabilities" in document:
        return _by_label([document])
    return _by_label(entry["answers"][0] for entry in document["predictions"])


def _by_label(predictions: Iterable[dict[str, Any]]) -> Floats:
    return np.array([[one["probabilities"][label] for label in LABELS] for one in predictions])


def _tensor(pixels: Pixels, datatype: str, **fields: object) -> dict[str, object]:
    return {"name": "image", "shape": list(pixels.shape), "datatype": datatype, **fields}


def _binary_head(pixels: Pixels, dtype: str, datatype: str) -> bytes:
    """Return the JSON in front of a binary tensor, as tritonclient writes it."""
    size = {"binary_data_size": pixels.astype(dtype).nbytes}
    inputs = [_tensor(pixels, datatype, parameters=size)]
    document = {"inputs": inputs, "parameters": {"binary_data_output": True}}
    return json.dumps(document, separators=(",", ":")).encode()


def _binary(images: int, dtype: str, datatype: str) -> Form:
    """Return the form of a binary tensor; its header has the length of the JSON."""
    length = len(_binary_head(np.zeros((images, SIDE, SIDE), np.uint8), dtype, datatype))

    def encode(_pngs: Sequence[bytes], pixels: Pixels, model: str) -> Request:
        head = _binary_head(pixels, dtype, datatype)
        return f"/v2/models/{model}/infer", head + pixels.astype(dtype).tobytes()

    def decode(body: bytes) -> Floats:
        values = np.frombuffer(body[-images * CLASSES * 4 :], "<f4")
        return values.reshape(images, CLASSES).astype(np.float64)

    return Form(f"OIP binary, {datatype}", (f"{HEADER}: {length}",), encode, decode)


def _encode_json(_pngs: Sequence[bytes], pixels: Pixels, model: str) -> Request:
    document = {"inputs": [_tensor(pixels, "UINT8", data=pixels.ravel().tolist())]}
    return f"/v2/models/{model}/infer", json.dumps(document, separators=(",", ":")).encode()


def _decode_json(body: bytes) -> Floats:
    return np.reshape(json.loads(body)["outputs"][0]["data"], (-1, CLASSES))


def _encode_rows(_pngs: Sequence[bytes], pixels: Pixels, model: str) -> Request:
    document = {"instances": pixels.tolist()}
    return f"/v1/models/{model}:predict", json.dumps(document, separators=(",", ":")).encode()


def _decode_rows(body: bytes) -> Floats:
    return np.array(json.loads(body)["predictions"])


NATIVE = "native multipart"
BINARY, BINARY_FLOAT = "OIP binary, UINT8", "OIP binary, FP32"
JSON, ROWS = "OIP JSON", "TFS rows"


def forms(images: int) -> dict[str, Form]:
    """Return all forms of requests with this number of images, by name."""
    made = [
        Form(NATIVE, (f"Content-Type: {CONTENT_TYPE}",), _encode_native, _decode_native),
        _binary(images, "<u1", "UINT8"),
        _binary(images, "<f4", "FP32"),
        Form(JSON, JSON_HEADERS, _encode_json, _decode_json),
        Form(ROWS, JSON_HEADERS, _encode_rows, _decode_rows),
    ]
    return {form.name: form for form in made}
