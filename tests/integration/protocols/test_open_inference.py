"""Open Inference Protocol in JSON: documents, names, tensors and answers, as its clients send."""

import gzip
import zlib
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.support.protocol_images import (
    DTYPES,
    IMAGES,
    LEVELS,
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
    PARITY,
    SECOND_VERSION,
    SMALL,
    ProtocolService,
    Reply,
    litert,
)

UNAVAILABLE = (LOADING, FAILED)


def tensor(pixels: NDArray[Any], datatype: str = "UINT8", **more: Any) -> dict[str, Any]:
    return {
        "name": "image",
        "shape": list(pixels.shape),
        "datatype": datatype,
        "data": pixels.ravel().tolist(),
        **more,
    }


def infer(
    service: ProtocolService, document: dict[str, Any], name: str = SMALL, version: str = ""
) -> dict[str, Any]:
    """Return the document of an answer."""
    reply = service.post_json(address(name, version), document)
    assert reply.status == 200, str(reply)
    assert reply.headers["content-type"] == "application/json"
    answer: dict[str, Any] = reply.document
    return answer


def address(name: str = SMALL, version: str = "", operation: str = "/infer") -> str:
    return f"/v2/models/{name}{f'/versions/{version}' if version else ''}{operation}"


def probabilities(answer: dict[str, Any]) -> NDArray[np.float64]:
    """Return the only output of an answer as an array."""
    [output] = answer["outputs"]
    assert (output["name"], output["datatype"]) == ("probabilities", "FP32")
    return np.array(output["data"]).reshape(output["shape"])


def error_of(reply: Reply) -> str:
    document = reply.document
    assert isinstance(document["error"], str)
    return str(document["error"])


def test_server_documents_are_those_of_the_protocol(service: ProtocolService) -> None:
    assert service.get("/v2/health/live").document == {"live": True}
    assert service.get("/v2/health/ready").document == {"ready": True}
    document = service.get("/v2").document
    assert document.keys() == {"name", "version", "extensions"}
    extensions = {"binary_tensor_data", "classification", "model_repository", "parameters"}
    assert set(document["extensions"]) == extensions
    assert all(isinstance(document[name], str) for name in ("name", "version"))
    assert [service.send("HEAD", path).status for path in ("/v2", "/v2/health/live")] == [200, 200]


@pytest.mark.parametrize(
    ("name", "version", "versions", "classes"),
    [
        (SMALL, "", ["1", "2"], 10),
        (SMALL, "1", ["1", "2"], 10),
        (CNN, "", ["1"], 10),
        (PARITY, "", ["1"], 2),
        ("mnist@champion", "", ["1"], 10),
    ],
)
def test_model_metadata_names_tensors_and_versions(
    service: ProtocolService, name: str, version: str, versions: list[str], classes: int
) -> None:
    document = service.get(address(name, version, "")).document
    assert document["name"] == name
    assert document["versions"] == versions
    assert isinstance(document["platform"], str)
    assert document["inputs"] == [{"name": "image", "datatype": "UINT8", "shape": [-1, 28, 28]}]
    assert document["outputs"] == [
        {"name": "probabilities", "datatype": "FP32", "shape": [-1, classes]}
    ]
    for operation in ("", "/ready"):
        reply = service.get(address(name, version, operation))
        assert reply.status == 200
    assert reply.document == {"name": name, "ready": True}


@pytest.mark.parametrize("name", UNAVAILABLE)
def test_unavailable_model_is_503_everywhere(service: ProtocolService, name: str) -> None:
    replies = [
        service.get(address(name, version, operation))
        for version in ("", "1")
        for operation in ("", "/ready")
    ]
    document = {"inputs": [tensor(IMAGES)]}
    replies += [service.post_json(address(name, version), document) for version in ("", "1")]
    for reply in replies:
        assert reply.status == 503, str(reply)
        assert int(reply.headers["retry-after"]) > 0
        assert error_of(reply)


def test_unknown_model_or_version_is_404(service: ProtocolService) -> None:
    for operation in ("", "/ready"):
        for name, version in (("unknown", ""), ("unknown", "1"), (SMALL, "3")):
            reply = service.get(address(name, version, operation))
            assert (reply.status, bool(error_of(reply))) == (404, True)
    assert service.get(address(SMALL, "01a", "")).status == 400
    assert service.get("/v2/unknown").status == 404


@pytest.mark.parametrize("datatype", DTYPES)
def test_every_shape_and_datatype_has_the_same_pixels(
    service: ProtocolService, datatype: str
) -> None:
    images = of_type(datatype)
    expected = litert(SECOND_VERSION, images)
    first = None
    for pixels in shapes(images):
        typed = pixels.astype(DTYPES[datatype])
        given = tensor(typed, datatype)
        for form in (given, {**given, "data": typed.tolist()}):
            answer = infer(service, {"inputs": [form]})
            assert_close(probabilities(answer), expected)
            first = first or answer
            assert answer == first
    [single] = infer(service, {"inputs": [tensor(images[0].astype(DTYPES[datatype]), datatype)]})[
        "outputs"
    ]
    assert single["shape"] == [1, 10]
    assert_close([single["data"]], expected[:1])


def test_answer_has_the_members_of_the_protocol(service: ProtocolService) -> None:
    request = {"inputs": [tensor(IMAGES)], "model_name": "x", "parameters": {"unknown": [1]}}
    answer = infer(service, request)
    assert answer.keys() == {"model_name", "model_version", "outputs"}
    assert (answer["model_name"], answer["model_version"]) == (SMALL, "2")
    [output] = answer["outputs"]
    assert output.keys() - {"parameters"} == {"name", "datatype", "shape", "data"}
    assert output["shape"] == [len(IMAGES), 10]
    assert len(output["data"]) == len(IMAGES) * 10
    named = infer(service, {**request, "id": "a-1", "outputs": [{"name": "probabilities"}]})
    assert named == {**answer, "id": "a-1"}


@pytest.mark.parametrize(
    ("name", "version", "source", "answered"),
    [
        (SMALL, "1", SMALL, "1"),
        (SMALL, "2", SECOND_VERSION, "2"),
        (f"{SMALL}@1", "", SMALL, "1"),
        (f"{SMALL}@stable", "", SMALL, "1"),
        ("mnist@champion", "", CNN, "1"),
        ("mnist@stable", "", SMALL, "1"),
        (f"{CNN}@champion", "", CNN, "1"),
        (PARITY, "", PARITY, "1"),
        ("parity@champion", "", PARITY, "1"),
    ],
)
def test_names_versions_and_aliases_choose_the_model(
    service: ProtocolService, name: str, version: str, source: str, answered: str
) -> None:
    answer = infer(service, {"inputs": [tensor(IMAGES)]}, name, version)
    assert answer["model_version"] == answered
    assert_close(probabilities(answer), litert(source, IMAGES))


@pytest.mark.parametrize("datatype", ["FP16", "FP32", "FP64"])
def test_scale_gives_back_every_level_exactly(service: ProtocolService, datatype: str) -> None:
    scaled = (LEVELS / 255).astype(DTYPES[datatype]).reshape(1, 784)
    plain = infer(service, {"inputs": [tensor(LEVELS.reshape(1, 784))]})
    for parameters in ({"scale": 255}, {"scale": 255.0}):
        answer = infer(service, {"inputs": [tensor(scaled, datatype, parameters=parameters)]})
        assert answer == plain
    ones = np.ones((1, 28, 28), DTYPES[datatype])
    white = infer(service, {"inputs": [tensor(ones, datatype, parameters={"scale": 255})]})
    assert_close(probabilities(white), litert(SECOND_VERSION, np.full((1, 28, 28), 255, np.uint8)))
    as_it_stands = infer(service, {"inputs": [tensor(ones, datatype)]})
    assert_close(
        probabilities(as_it_stands), litert(SECOND_VERSION, np.ones((1, 28, 28), np.uint8))
    )


@pytest.mark.parametrize("count", [1, 3, 10, 25])
def test_classification_names_the_highest_first(service: ProtocolService, count: int) -> None:
    outputs = [{"name": "probabilities", "parameters": {"classification": count}}]
    answer = infer(service, {"inputs": [tensor(IMAGES)], "outputs": outputs}, PARITY)
    [output] = answer["outputs"]
    width = min(count, 2)
    assert (output["datatype"], output["shape"]) == ("BYTES", [len(IMAGES), width])
    expected = litert(PARITY, IMAGES)
    texts = np.array(output["data"]).reshape(output["shape"])
    for row, texts_of_row in zip(expected, texts, strict=True):
        values = [text.split(":") for text in texts_of_row]
        numbers = [float(value) for value, _, _ in values]
        assert numbers == sorted(numbers, reverse=True)
        for number, (_, index, label) in zip(numbers, values, strict=True):
            assert label == ("even", "odd")[int(index)]
            assert number == pytest.approx(row[int(index)], abs=1e-5)
        assert numbers[0] == pytest.approx(row.max(), abs=1e-5)


def test_compressed_body_and_any_type_are_read(service: ProtocolService) -> None:
    plain = service.post_json(address(), {"id": "1", "inputs": [tensor(IMAGES)]})
    body = b'{"id":"1","inputs":[%b]}' % _encode(tensor(IMAGES))
    encodings = {"gzip": gzip.compress(body), "deflate": zlib.compress(body), "identity": body}
    for encoding, packed in encodings.items():
        reply = service.post(address(), packed, {"Content-Encoding": encoding})
        assert reply.document == plain.document
    for media_type in ("application/x-www-form-urlencoded", "text/plain", "a", None):
        headers = {} if media_type is None else {"Content-Type": media_type}
        assert service.post(address(), body, headers).document == plain.document
    assert service.send("POST", address(), body, is_chunked=True).document == plain.document


def _encode(document: dict[str, Any]) -> bytes:
    return str(document).replace("'", '"').encode()


def test_repository_index_lists_versions_with_states(service: ProtocolService) -> None:
    path = "/v2/repository/index"
    states = {
        (SMALL, "1"): "READY",
        (SMALL, "2"): "READY",
        (CNN, "1"): "READY",
        (PARITY, "1"): "READY",
        (NOT_FINITE, "1"): "READY",
        (LOADING, "1"): "LOADING",
        (FAILED, "1"): "UNAVAILABLE",
    }
    for body in (b"", b"{}", b'{"ready":false}'):
        entries = service.post(path, body).document
        assert {(one["name"], one["version"]): one["state"] for one in entries} == states
        assert all(isinstance(one.get("reason", ""), str) for one in entries)
    [failed] = [one for one in entries if one["name"] == FAILED]
    assert failed["reason"]
    ready = service.post(path, b'{"ready":true}').document
    assert {one["state"] for one in ready} == {"READY"}
    assert len(ready) == 5
    for body in (b"[]", b"{", b'{"ready":NaN}'):
        reply = service.post(path, body)
        assert (reply.status, bool(error_of(reply))) == (400, True)


def test_load_and_unload_are_400(service: ProtocolService) -> None:
    for operation in ("load", "unload"):
        for body in (b"{}", b'{"parameters":{"unload_dependents":false}}', b""):
            reply = service.post(f"/v2/repository/models/{SMALL}/{operation}", body)
            assert reply.status == 400
            assert error_of(reply)
    assert infer(service, {"inputs": [tensor(IMAGES)]})


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", f"/v2/models/{SMALL}/stats"),
        ("GET", f"/v2/models/{SMALL}/versions/1/stats"),
        ("GET", "/v2/models/stats"),
        ("GET", f"/v2/models/{SMALL}/config"),
        ("GET", f"/v2/models/{SMALL}/versions/1/config"),
        ("POST", f"/v2/models/{SMALL}/generate"),
        ("GET", "/v2/systemsharedmemory/status"),
        ("POST", "/v2/cudasharedmemory/region/a/register"),
        ("GET", "/v2/trace/setting"),
        ("POST", f"/v2/models/{SMALL}/trace/setting"),
    ],
)
def test_unsupported_extension_is_501(service: ProtocolService, method: str, path: str) -> None:
    reply = service.send(method, path)
    assert reply.status == 501
    assert error_of(reply)


def test_output_that_is_not_finite_is_never_sent(service: ProtocolService) -> None:
    fine = infer(service, {"inputs": [tensor(IMAGES)]}, NOT_FINITE)
    assert np.isfinite(probabilities(fine)).all()
    together = np.stack([*IMAGES, OVERFLOW])
    for pixels in (OVERFLOW, together):
        for more in ({}, {"parameters": {"binary_data_output": True}}):
            for outputs in ({}, {"outputs": [CLASSIFICATION]}):
                request = {"inputs": [tensor(pixels)], **more, **outputs}
                reply = service.post_json(address(NOT_FINITE), request)
                assert reply.status == 503, str(reply)
                assert error_of(reply)


CLASSIFICATION = {"name": "probabilities", "parameters": {"classification": 2}}
