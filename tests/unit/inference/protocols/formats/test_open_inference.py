"""Open Inference Protocol: requests to images, and outputs to responses."""

import base64
import json
from typing import Any

import numpy as np
import pytest

from inference.errors import MalformedRequestError, RequestTooLargeError
from inference.preprocessing.digits import TensorImage
from inference.protocols.formats.open_inference import classify, parse_head, raw_head
from inference.runtime.outputs import Outputs
from tests.support.fake_models import make_version

IMAGES = np.arange(2 * 784).reshape(2, 28, 28).astype(np.uint8)
OUTPUTS = Outputs(np.array([[0.25, 0.75], [1, 0]], np.float32), [False, False], [1, 0])


def request(output: Any = None, **tensor: Any) -> dict[str, Any]:
    """Return a request; `output` is its only output."""
    own = {"name": "image", "datatype": "UINT8", "shape": [2, 28, 28], **tensor}
    return {"inputs": [own], **({} if output is None else {"outputs": [output]})}


def binary(data: bytes, **tensor: Any) -> dict[str, Any]:
    return request(parameters={"binary_data_size": len(data)}, **tensor)


def pixels(images: Any) -> list[bytes]:
    assert all(isinstance(image, TensorImage) for image in images)
    return [image.pixels.tobytes() for image in images]


@pytest.mark.parametrize("data", [IMAGES.ravel().tolist(), IMAGES.tolist()])
def test_json_numbers_are_read(data: list[Any]) -> None:
    [first, second] = parse_head(request(data=data)).read(b"")
    assert pixels([first, second]) == [IMAGES[0].tobytes(), IMAGES[1].tobytes()]


@pytest.mark.parametrize(
    ("datatype", "numpy_type"),
    [("UINT8", "u1"), ("INT64", "<i8"), ("FP16", "<f2"), ("FP32", "<f4"), ("FP64", "<f8")],
)
def test_binary_numbers_are_read(datatype: str, numpy_type: str) -> None:
    data = IMAGES.astype(numpy_type).tobytes()
    head = parse_head(binary(data, datatype=datatype))
    assert pixels(head.read(memoryview(data))) == [image.tobytes() for image in IMAGES]


def test_scale_may_be_a_parameter_of_the_request_or_of_the_input() -> None:
    numbers = {"data": (IMAGES / 255).ravel().tolist(), "datatype": "FP32"}
    own = request(**numbers, parameters={"scale": 255})
    for document in (own, request(**numbers) | {"parameters": {"scale": 255}}):
        assert pixels(parse_head(document).read(b""))[0] == IMAGES[0].tobytes()


def test_image_files_are_bytes() -> None:
    tensor = b"\3\0\0\0png\3\0\0\0jpg"
    assert parse_head(binary(tensor, datatype="BYTES", shape=[2])).read(tensor) == [b"png", b"jpg"]
    texts = [base64.b64encode(b"png").decode()]
    assert parse_head(request(datatype="BYTES", shape=[1, 1], data=texts)).read(b"") == [b"png"]


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"inputs": []},
        {"inputs": [{}, {}]},
        request(data=[1], name="picture"),
        request(data=[1], datatype="BOOL"),
        request(data=[1], datatype=["UINT8"]),
        request(data=[1], shape=[2, 28, -28]),
        request(data=[1], shape=[2.0, 28, 28]),
        request(data=[1], shape=[True, 28, 28]),
        request(data=[1], shape=None),
        request(),
        request(data={}),
        request(data=[1], output={"name": "logits"}),
        request(data=[1], output={"name": "probabilities", "parameters": {"classification": True}}),
        request(data=[1], output={"name": "probabilities", "parameters": {"binary_data": 1}}),
        request(data=[1], output={"name": "probabilities", "parameters": [1]}),
        request(data=[1]) | {"parameters": {"binary_data_output": "yes"}},
        request(data=[1]) | {"parameters": []},
        request(data=[1]) | {"id": 5},
        request(data=[1]) | {"id": "x" * 1025},
        binary(b"x" * 1567),
        binary(b"x", datatype="BYTES", shape=[0]),
    ],
)
def test_head_that_is_wrong_is_refused(document: dict[str, Any]) -> None:
    with pytest.raises(MalformedRequestError):
        parse_head(document)


def test_shape_of_too_many_images_is_refused_before_anything_is_allocated() -> None:
    with pytest.raises(RequestTooLargeError):
        parse_head(binary(b"", shape=[2**62, 784]))
    with pytest.raises(RequestTooLargeError):
        parse_head(binary(b"", datatype="BYTES", shape=[2**40, 2**40]))


@pytest.mark.parametrize(
    ("document", "tensor"),
    [
        (request(data=[1, 2]), b""),
        (request(data=IMAGES.tolist()), b"more"),
        (request(data=IMAGES.astype(float).tolist()), b""),
        (binary(IMAGES.tobytes()), b""),
        (request(data=["no base64"], datatype="BYTES", shape=[1]), b""),
        (request(data=[5], datatype="BYTES", shape=[1]), b""),
    ],
)
def test_data_that_does_not_fit_is_refused(document: dict[str, Any], tensor: bytes) -> None:
    with pytest.raises(MalformedRequestError):
        parse_head(document).read(tensor)


def test_raw_body_is_one_image_answered_in_binary() -> None:
    head = raw_head(784)
    assert pixels(head.read(IMAGES[0].tobytes())) == [IMAGES[0].tobytes()]
    assert head.encode("a", make_version("a"), OUTPUTS).media_type == b"application/octet-stream"
    with pytest.raises(MalformedRequestError):
        raw_head(1568)


def test_answer_in_json_echoes_the_id_and_names_the_version() -> None:
    head = parse_head(request(data=[1]) | {"id": "q-1"})
    answer = head.encode("a", make_version("a", version=3), OUTPUTS)
    assert json.loads(answer.body) == {
        "model_name": "a",
        "model_version": "3",
        "id": "q-1",
        "outputs": [
            {
                "name": "probabilities",
                "datatype": "FP32",
                "shape": [2, 2],
                "data": [0.25, 0.75, 1.0, 0.0],
            }
        ],
    }
    assert answer.headers == ((b"x-model-version", b"a@3"),)


def test_answer_for_an_alias_names_the_model() -> None:
    answer = parse_head(request(data=[1])).encode("champion", make_version("a"), OUTPUTS)
    document = json.loads(answer.body)
    assert (document["model_name"], document["parameters"]) == ("champion", {"model": "a@1"})
    assert "id" not in document


def test_answer_in_binary_has_its_tensor_behind_the_json() -> None:
    head = parse_head(request(data=[1]) | {"parameters": {"binary_data_output": True}})
    answer = head.encode("a", make_version("a"), OUTPUTS)
    length = int(dict(answer.headers)[b"inference-header-content-length"])
    [output] = json.loads(answer.body[:length])["outputs"]
    assert (output["parameters"], "data" in output) == ({"binary_data_size": 16}, False)
    assert np.frombuffer(answer.body[length:], "<f4").tolist() == [0.25, 0.75, 1.0, 0.0]


def test_classification_is_of_bytes_highest_first() -> None:
    assert classify(OUTPUTS, ("x", "y"), 5) == [
        "0.750000:1:y",
        "0.250000:0:x",
        "1.000000:0:x",
        "0.000000:1:y",
    ]
    output = {"name": "probabilities", "parameters": {"classification": 1}}
    answer = parse_head(request(data=[1], output=output)).encode("a", make_version("a"), OUTPUTS)
    [found] = json.loads(answer.body)["outputs"]
    assert (found["datatype"], found["shape"]) == ("BYTES", [2, 1])
    assert found["data"] == ["0.750000:1:y", "1.000000:0:x"]
