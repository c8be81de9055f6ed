"""Open Inference Protocol with binary tensors: requests and answers, byte by byte."""

import gzip
import itertools
import json
import struct
import zlib
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from inference.preprocessing.digits import read_digit
from tests.corpus.protocol_requests.open_inference_binary import HEADER, bytes_elements
from tests.support.images import drawn, encoded
from tests.support.protocol_images import (
    DTYPES,
    IMAGES,
    LEVELS,
    RNG,
    assert_close,
    of_type,
    shapes,
)
from tests.support.protocol_service import (
    CNN,
    FAILED,
    LOADING,
    NOT_FINITE,
    OVERFLOW,
    SECOND_VERSION,
    SMALL,
    ProtocolService,
    Reply,
    litert,
)

PATH = f"/v2/models/{SMALL}/infer"
OCTETS = "application/octet-stream"
BINARY: dict[str, Any] = {"parameters": {"binary_data_output": True}}
PROBABILITIES = {"name": "probabilities"}


def message(
    data: bytes, shape: list[int], datatype: str = "UINT8", *, scale: Any = None, **members: Any
) -> tuple[bytes, bytes]:
    """Return the JSON and the tensor of a request."""
    parameters = {"binary_data_size": len(data), **({} if scale is None else {"scale": scale})}
    tensor = {"name": "image", "shape": shape, "datatype": datatype, "parameters": parameters}
    return json.dumps({"inputs": [tensor], **members}).encode(), data


def ask(
    service: ProtocolService, head: bytes, data: bytes, path: str = PATH, **headers: str
) -> Reply:
    reply = service.post(path, head + data, {HEADER: str(len(head)), **headers})
    assert reply.status == 200, str(reply)
    return reply


def read(reply: Reply) -> tuple[dict[str, Any], bytes]:
    """Return the JSON of an answer, and the bytes behind it."""
    length = reply.headers.get(HEADER.lower())
    if length is None:
        assert reply.headers["content-type"] == "application/json"
        return reply.document, b""
    assert reply.headers["content-type"] == OCTETS
    head, rest = reply.body[: int(length)], reply.body[int(length) :]
    return json.loads(head), rest


def probabilities(reply: Reply) -> NDArray[np.float32]:
    """Return the probabilities of a binary answer."""
    document, rest = read(reply)
    [output] = document["outputs"]
    assert (output["name"], output["datatype"]) == ("probabilities", "FP32")
    assert output["parameters"]["binary_data_size"] == len(rest)
    assert "data" not in output
    return np.frombuffer(rest, "<f4").reshape(output["shape"])


@pytest.mark.parametrize("datatype", DTYPES)
def test_every_shape_and_datatype_has_the_same_pixels(
    service: ProtocolService, datatype: str
) -> None:
    images = of_type(datatype)
    expected = litert(SECOND_VERSION, images)
    bodies = set()
    for pixels in shapes(images):
        typed = pixels.astype(DTYPES[datatype])
        reply = ask(service, *message(typed.tobytes(), list(typed.shape), datatype, **BINARY))
        assert_close(probabilities(reply), expected)
        bodies.add(reply.body)
    assert len(bodies) == 1
    one = images[0].astype(DTYPES[datatype])
    reply = ask(service, *message(one.tobytes(), [28, 28], datatype, **BINARY))
    assert_close(probabilities(reply), expected[:1])


@pytest.mark.parametrize("datatype", ["FP16", "FP32", "FP64"])
def test_scale_gives_back_every_level_exactly(service: ProtocolService, datatype: str) -> None:
    plain = ask(service, *message(LEVELS.tobytes(), [1, 784], **BINARY))
    scaled = (LEVELS / 255).astype(DTYPES[datatype])
    reply = ask(service, *message(scaled.tobytes(), [1, 784], datatype, scale=255, **BINARY))
    assert reply.body == plain.body
    negative_zero = np.full((1, 784), -0.0, DTYPES[datatype])
    reply = ask(service, *message(negative_zero.tobytes(), [1, 784], datatype, **BINARY))
    assert_close(probabilities(reply), litert(SECOND_VERSION, np.zeros((1, 28, 28), np.uint8)))


def test_answer_is_binary_where_output_or_request_says(service: ProtocolService) -> None:
    data, shape = IMAGES.tobytes(), list(IMAGES.shape)
    plain = ask(service, *message(data, shape)).document
    values = np.array(plain["outputs"][0]["data"]).reshape(-1, 10)
    for whole, own in itertools.product((None, False, True), repeat=2):
        members: dict[str, Any] = {}
        if whole is not None:
            members["parameters"] = {"binary_data_output": whole}
        if own is not None:
            members["outputs"] = [{**PROBABILITIES, "parameters": {"binary_data": own}}]
        reply = ask(service, *message(data, shape, **members))
        if whole if own is None else own:
            # JSON has float32 in full: both are the same numbers.
            assert np.array_equal(probabilities(reply), values.astype(np.float32))
            document, _ = read(reply)
            assert (document["model_name"], document["model_version"]) == (SMALL, "2")
        else:
            assert reply.document == plain


def test_json_tensor_may_have_a_binary_answer(service: ProtocolService) -> None:
    tensor = {
        "name": "image",
        "shape": [8, 28, 28],
        "datatype": "UINT8",
        "data": IMAGES.ravel().tolist(),
    }
    reply = service.post_json(PATH, {"id": "é", "inputs": [tensor], **BINARY})
    assert_close(probabilities(reply), litert(SECOND_VERSION, IMAGES))
    assert read(reply)[0]["id"] == "é"
    head = json.dumps({"inputs": [tensor]}).encode()
    assert_close(
        np.array(ask(service, head, b"").document["outputs"][0]["data"]).reshape(-1, 10),
        litert(SECOND_VERSION, IMAGES),
    )


def test_id_is_echoed_or_left_out(service: ProtocolService) -> None:
    data, shape = IMAGES.tobytes(), list(IMAGES.shape)
    with_id = read(ask(service, *message(data, shape, id="a b", **BINARY)))[0]
    without = read(ask(service, *message(data, shape, **BINARY)))[0]
    assert with_id == {**without, "id": "a b"}
    assert "id" not in without


def test_header_0_is_the_tensor_of_one_image(service: ProtocolService) -> None:
    for image in IMAGES:
        reply = service.post(PATH, image.tobytes(), {HEADER: "0", "Content-Type": OCTETS})
        assert reply.status == 200, str(reply)
        assert_close(probabilities(reply), litert(SECOND_VERSION, image[None]))


def test_classification_is_bytes_elements(service: ProtocolService) -> None:
    parameters = {"classification": 3, "binary_data": True}
    outputs = [{**PROBABILITIES, "parameters": parameters}]
    reply = ask(service, *message(IMAGES.tobytes(), list(IMAGES.shape), outputs=outputs))
    document, rest = read(reply)
    [output] = document["outputs"]
    assert (output["datatype"], output["shape"]) == ("BYTES", [len(IMAGES), 3])
    assert output["parameters"]["binary_data_size"] == len(rest)
    texts = []
    while rest:
        [length] = struct.unpack_from("<I", rest)
        texts.append(rest[4 : 4 + length].decode())
        rest = rest[4 + length :]
    assert len(texts) == 3 * len(IMAGES)
    for row, start in zip(litert(SECOND_VERSION, IMAGES), range(0, len(texts), 3), strict=True):
        best = sorted(range(10), key=lambda index: -row[index])[:3]
        for text, index in zip(texts[start : start + 3], best, strict=True):
            value, own_index, label = text.split(":")
            assert float(value) == pytest.approx(row[index], abs=1e-5)
            assert row[int(own_index)] == pytest.approx(row[index], abs=1e-5)
            assert label == own_index


def test_bytes_are_image_files(service: ProtocolService) -> None:
    """Files are read as POST /inference reads them: on white paper, of any size."""
    files = [
        encoded(drawn("7")),
        encoded(drawn("5", 140, ink=0, paper=255)),
        encoded(drawn("4", 64, at=(0.3, 0.3)), "JPEG"),
    ]
    expected = litert(SECOND_VERSION, np.stack([read_digit(file) for file in files]))
    for shape in ([3], [3, 1]):
        reply = ask(service, *message(bytes_elements(*files), shape, "BYTES", **BINARY))
        assert_close(probabilities(reply), expected)


def test_compressed_body_counts_its_own_bytes(service: ProtocolService) -> None:
    head, data = message(IMAGES.tobytes(), list(IMAGES.shape), **BINARY)
    plain = ask(service, head, data)
    for encoding, pack in (("gzip", gzip.compress), ("deflate", zlib.compress)):
        headers = {HEADER: str(len(head)), "Content-Encoding": encoding}
        assert service.post(PATH, pack(head + data), headers).body == plain.body
    for headers in (
        {HEADER.lower(): str(len(head)), "content-type": OCTETS},
        {HEADER.upper(): str(len(head)), "Accept-Encoding": "gzip, deflate, br"},
        {HEADER: str(len(head)), "Content-Type": "application/x-www-form-urlencoded"},
    ):
        assert service.post(PATH, head + data, headers).body == plain.body


def test_1000_images_are_answered_in_order(service: ProtocolService) -> None:
    images = RNG.integers(0, 256, (1000, 28, 28), np.uint8)
    path = f"/v2/models/{CNN}/infer"
    reply = ask(service, *message(images.tobytes(), [1000, 28, 28], **BINARY), path)
    assert_close(probabilities(reply), litert(CNN, images))
    typed = images.astype("<f8")
    reply = ask(service, *message(typed.tobytes(), [1000, 784], "FP64", **BINARY), path)
    assert_close(probabilities(reply), litert(CNN, images))


@pytest.mark.parametrize("name", [LOADING, FAILED])
def test_unavailable_model_is_503(service: ProtocolService, name: str) -> None:
    head, data = message(IMAGES[0].tobytes(), [1, 784], **BINARY)
    reply = service.post(f"/v2/models/{name}/infer", head + data, {HEADER: str(len(head))})
    assert reply.status == 503
    assert int(reply.headers["retry-after"]) > 0
    assert isinstance(reply.document["error"], str)


def test_output_that_is_not_finite_is_never_sent(service: ProtocolService) -> None:
    path = f"/v2/models/{NOT_FINITE}/infer"
    fine = ask(service, *message(IMAGES.tobytes(), [8, 784], **BINARY), path)
    assert np.isfinite(probabilities(fine)).all()
    for images in (OVERFLOW[None], np.stack([*IMAGES, OVERFLOW])):
        head, data = message(images.tobytes(), list(images.shape), **BINARY)
        reply = service.post(path, head + data, {HEADER: str(len(head))})
        assert reply.status == 503, str(reply)
        assert isinstance(reply.document["error"], str)
