"""Questions: bodies are unpacked and read by the action of their path."""

import gzip
import json
from typing import Any

import numpy as np
import pytest

from inference.errors import MalformedRequestError
from inference.preprocessing.digits import TensorImage
from inference.protocols.questions import MAX_SHORT_BYTES, MAX_SHORT_CSV_BYTES, READERS, Request
from inference.protocols.routes import Action

IMAGE = np.arange(784).reshape(28, 28) % 256
BINARY = IMAGE.astype(np.uint8).tobytes()
HEAD = json.dumps(
    {
        "inputs": [
            {
                "name": "image",
                "datatype": "UINT8",
                "shape": [1, 28, 28],
                "parameters": {"binary_data_size": 784},
            }
        ]
    }
).encode()
LENGTH = b"inference-header-content-length"
JSON_TYPE = {b"content-type": b"application/json"}


def request(body: Any, **headers: bytes) -> Request:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Request(
        data, {name.replace("_", "-").encode(): value for name, value in headers.items()}, 100_000
    )


@pytest.mark.parametrize(
    ("action", "protocol", "own"),
    [
        (Action.INFER, "oip", Request(HEAD + BINARY, {LENGTH: b"%d" % len(HEAD)}, 9999)),
        (Action.INFER, "oip", Request(BINARY, {LENGTH: b"0"}, 9999)),
        (Action.PREDICT, "tfs", request({"instances": [IMAGE.tolist()]})),
        (Action.CLASSIFY, "tfs", request({"examples": [{"image": IMAGE.tolist()}]})),
        (Action.INVOKE, "mlflow", request({"inputs": [IMAGE.tolist()]},
                                          content_type=b"application/json")),
    ],
)  # fmt: skip
def test_readers_read_images(action: Action, protocol: str, own: Request) -> None:
    name, reader = READERS[action]
    [image] = reader(own).images
    assert name == protocol
    assert isinstance(image, TensorImage)
    assert (image.pixels == IMAGE).all()


def test_binary_body_without_its_header_is_told_about_it() -> None:
    with pytest.raises(MalformedRequestError, match="Inference-Header-Content-Length"):
        READERS[Action.INFER][1](Request(HEAD + BINARY, {}, 9999))


def test_content_is_unpacked() -> None:
    packed = request(gzip.compress(b'{"a": 1}'), content_encoding=b"gzip")
    assert (packed.content(), packed.document()) == (b'{"a": 1}', {"a": 1})
    assert request(b"x", content_encoding=b"identity").content() == b"x"
    assert request(b"").document() == {}


def test_short_request_is_small_and_not_packed() -> None:
    assert request(b"x" * MAX_SHORT_BYTES).is_short
    assert not request(b"x" * (MAX_SHORT_BYTES + 1)).is_short
    assert not request(b"x", content_encoding=b"gzip").is_short
    for size, is_short in ((MAX_SHORT_CSV_BYTES, True), (MAX_SHORT_CSV_BYTES + 1, False)):
        assert request(b"x" * size, content_type=b"Text/CSV").is_short == is_short
