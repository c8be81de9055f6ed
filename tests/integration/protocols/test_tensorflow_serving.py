"""TensorFlow Serving's REST API and KServe's first protocol, as their clients ask."""

import base64
import gzip
import zlib
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from inference.preprocessing.digits import read_digit
from tests.support.images import drawn, encoded
from tests.support.protocol_images import IMAGES, LEVELS, RNG, assert_close, shapes
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
    litert,
)

MODELS = "/v1/models"
OK = {"error_code": "OK", "error_message": ""}
NAMES = [
    (f"{SMALL}", SECOND_VERSION),
    (f"{SMALL}/versions/1", SMALL),
    (f"{SMALL}/versions/2", SECOND_VERSION),
    (f"{SMALL}/labels/stable", SMALL),
    (f"{SMALL}@1", SMALL),
    (f"{CNN}/labels/champion", CNN),
    ("mnist@champion", CNN),
    ("mnist/labels/stable", SMALL),
    (f"{PARITY}", PARITY),
]


def ask(
    service: ProtocolService, document: dict[str, Any], name: str = SMALL, verb: str = "predict"
) -> Any:
    """Return the only member of an answer."""
    reply = service.post_json(f"{MODELS}/{name}:{verb}", document)
    assert reply.status == 200, str(reply)
    assert reply.headers["content-type"] == "application/json"
    member = {"classify": "results"}.get(
        verb, "predictions" if "instances" in document else "outputs"
    )
    assert reply.document.keys() == {member}
    return reply.document[member]


def test_status_serves_clients_of_both_protocols(service: ProtocolService) -> None:
    available = [{"version": number, "state": "AVAILABLE", "status": OK} for number in "12"]
    document = service.get(f"{MODELS}/{SMALL}").document
    listed = sorted(document.pop("model_version_status"), key=lambda entry: entry["version"])
    assert (document, listed) == ({"name": SMALL, "ready": True}, available)
    for path in (f"{MODELS}/{SMALL}/versions/1", f"{MODELS}/{SMALL}/labels/stable"):
        assert service.get(path).document == {
            "model_version_status": available[:1],
            "name": SMALL,
            "ready": True,
        }


@pytest.mark.parametrize(("name", "state"), [(LOADING, "LOADING"), (FAILED, "END")])
def test_unavailable_model_is_503_and_says_its_state(
    service: ProtocolService, name: str, state: str
) -> None:
    image = IMAGES[0].tolist()
    status = service.get(f"{MODELS}/{name}")
    [entry] = status.document["model_version_status"]
    assert (entry["version"], entry["state"]) == ("1", state)
    assert status.document["ready"] is False
    replies = [
        status,
        service.get(f"{MODELS}/{name}/versions/1"),
        service.get(f"{MODELS}/{name}/metadata"),
        service.post_json(f"{MODELS}/{name}:predict", {"instances": [image]}),
        service.post_json(f"{MODELS}/{name}/versions/1:predict", {"inputs": [image]}),
        service.post_json(f"{MODELS}/{name}:classify", {"examples": [{"image": image}]}),
    ]
    for reply in replies:
        assert reply.status == 503, str(reply)
        assert int(reply.headers["retry-after"]) > 0
        assert isinstance(reply.document["error"], str)


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (f"{MODELS}/unknown", 404),
        (f"{MODELS}/unknown/metadata", 404),
        (f"{MODELS}/{SMALL}/versions/3", 404),
        (f"{MODELS}/{SMALL}/labels/champion", 404),
        (f"{MODELS}/{SMALL}/labels/unknown", 404),
        (f"{MODELS}/all", 400),
    ],
)
def test_unknown_model_has_an_error(service: ProtocolService, path: str, status: int) -> None:
    reply = service.get(path)
    assert reply.status == status
    assert isinstance(reply.document["error"], str)


def test_label_elsewhere_says_where_it_points(service: ProtocolService) -> None:
    path = f"{MODELS}/{SMALL}/labels/champion:predict"
    reply = service.post_json(path, {"instances": [IMAGES[0].tolist()]})
    assert reply.status == 404
    assert f"{CNN}@1" in reply.document["error"]


def test_metadata_has_signatures_of_the_tensors(service: ProtocolService) -> None:
    for path, number in (
        (SMALL, "2"),
        (f"{SMALL}/versions/1", "1"),
        (f"{SMALL}/labels/stable", "1"),
    ):
        document = service.get(f"{MODELS}/{path}/metadata").document
        specification = document["model_spec"]
        assert (specification["name"], specification["version"]) == (SMALL, number)
        signature = document["metadata"]["signature_def"]["signature_def"]["serving_default"]
        assert signature["method_name"] == "tensorflow/serving/predict"
        for side, name, dtype, sizes in (
            ("inputs", "image", "DT_UINT8", ["-1", "28", "28"]),
            ("outputs", "probabilities", "DT_FLOAT", ["-1", "10"]),
        ):
            assert signature[side].keys() == {name}
            tensor = signature[side][name]
            assert tensor["dtype"] == dtype
            assert [size["size"] for size in tensor["tensor_shape"]["dim"]] == sizes


def test_models_are_listed_and_the_server_is_alive(service: ProtocolService) -> None:
    names = {SMALL, CNN, PARITY, NOT_FINITE, LOADING, FAILED}
    assert set(service.get(MODELS).document["models"]) == names
    for accept in ("application/json", "*/*", None):
        headers = {} if accept is None else {"Accept": accept}
        reply = service.get("/", headers)
        assert (reply.status, reply.document) == (200, {"status": "alive"})
    page = service.get("/", {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"})
    assert "alive" not in page.body.decode()


@pytest.mark.parametrize(("name", "source"), NAMES)
def test_rows_and_columns_agree_with_litert(
    service: ProtocolService, name: str, source: str
) -> None:
    expected = litert(source, IMAGES)
    for values in (IMAGES.tolist(), IMAGES.astype(float).tolist()):
        assert_close(ask(service, {"instances": values}, name), expected)
        assert_close(ask(service, {"inputs": values}, name), expected)


def test_answer_names_its_version(service: ProtocolService) -> None:
    for name, answered in ((SMALL, f"{SMALL}@2"), (f"{SMALL}/labels/stable", f"{SMALL}@1")):
        image = IMAGES[0].tolist()
        for verb, document in (
            ("predict", {"instances": [image]}),
            ("predict", {"inputs": [image]}),
            ("classify", {"examples": [{"image": image}]}),
        ):
            reply = service.post_json(f"{MODELS}/{name}:{verb}", document)
            assert reply.headers["x-model-version"] == answered


def test_every_shape_and_form_has_the_same_pixels(service: ProtocolService) -> None:
    first = ask(service, {"instances": IMAGES.tolist()})
    assert_close(first, litert(SECOND_VERSION, IMAGES))
    for pixels in shapes(IMAGES):
        values = pixels.tolist()
        assert ask(service, {"instances": values}) == first
        assert ask(service, {"instances": [{"image": value} for value in values]}) == first
        assert ask(service, {"inputs": values}) == first
        assert ask(service, {"inputs": {"image": values}}) == first
        named = {"instances": values, "signature_name": "serving_default", "unknown": 1}
        assert ask(service, named) == first
    assert ask(service, {"inputs": IMAGES[0].tolist()}) == first[:1]


def test_probabilities_are_float32_in_full(service: ProtocolService) -> None:
    """Both protocols give the same bits."""
    rows = np.array(ask(service, {"instances": IMAGES.tolist()}))
    tensor = {"name": "image", "shape": [8, 784], "datatype": "UINT8"}
    answer = service.post_json(
        f"/v2/models/{SMALL}/infer",
        {
            "inputs": [{**tensor, "data": IMAGES.ravel().tolist()}],
            "parameters": {"binary_data_output": True},
        },
    )
    length = int(answer.headers["inference-header-content-length"])
    exact = np.frombuffer(answer.body[length:], "<f4")
    assert np.array_equal(rows.astype(np.float32).ravel(), exact)


@pytest.mark.parametrize("dtype", ["<f4", "<f8"])
def test_signature_scaled_gives_back_every_level(service: ProtocolService, dtype: str) -> None:
    plain = ask(service, {"instances": [LEVELS.tolist()]})
    scaled = (LEVELS / 255).astype(dtype).tolist()
    assert ask(service, {"instances": [scaled], "signature_name": "scaled"}) == plain
    assert ask(service, {"inputs": {"image": [scaled]}, "signature_name": "scaled"}) == plain
    examples = {"examples": [{"image": scaled}], "signature_name": "scaled"}
    [result] = ask(service, examples, verb="classify")
    assert [value for _, value in result] == plain[0]


def test_classify_names_every_class(service: ProtocolService) -> None:
    for name, source, labels in (
        (SMALL, SECOND_VERSION, list("0123456789")),
        (PARITY, PARITY, ["even", "odd"]),
    ):
        examples = [{"image": image.tolist()} for image in IMAGES]
        results = ask(service, {"examples": examples}, name, "classify")
        by_label = [dict(map(tuple, row)) for row in results]
        assert_close([[row[label] for label in labels] for row in by_label], litert(source, IMAGES))
        assert all(len(row) == len(labels) for row in results)


def test_base64_is_an_image_file(service: ProtocolService) -> None:
    files = [
        encoded(drawn("7")),
        encoded(drawn("5", 140, ink=0, paper=255)),
        encoded(drawn("4", 64, at=(0.3, 0.3)), "JPEG"),
    ]
    expected = litert(SECOND_VERSION, np.stack([read_digit(file) for file in files]))
    items = [{"b64": base64.b64encode(file).decode()} for file in files]
    assert_close(ask(service, {"instances": items}), expected)
    assert_close(ask(service, {"inputs": items}), expected)
    assert_close(ask(service, {"inputs": {"image": items}}), expected)


def test_any_type_and_compressed_bodies_are_read(service: ProtocolService) -> None:
    path, body = f"{MODELS}/{SMALL}:predict", _body(IMAGES)
    plain = service.post(path, body).document
    assert_close(plain["predictions"], litert(SECOND_VERSION, IMAGES))
    for media_type in ("application/x-www-form-urlencoded", "application/json", "text/plain"):
        assert service.post(path, body, {"Content-Type": media_type}).document == plain
    for encoding, packed in (("gzip", gzip.compress(body)), ("deflate", zlib.compress(body))):
        assert service.post(path, packed, {"Content-Encoding": encoding}).document == plain


def _body(images: NDArray[np.uint8]) -> bytes:
    return f'{{"instances": {images.tolist()}}}'.encode()


def test_1000_images_are_answered_in_order(service: ProtocolService) -> None:
    images = RNG.integers(0, 256, (1000, 28, 28), np.uint8)
    reply = service.post(f"{MODELS}/{CNN}:predict", _body(images))
    assert_close(reply.document["predictions"], litert(CNN, images))


def test_output_that_is_not_finite_is_never_sent(service: ProtocolService) -> None:
    for images in (OVERFLOW[None], np.stack([*IMAGES, OVERFLOW])):
        examples = [{"image": image.tolist()} for image in images]
        for verb, document in (
            ("predict", {"instances": images.tolist()}),
            ("predict", {"inputs": images.tolist()}),
            ("classify", {"examples": examples}),
        ):
            reply = service.post_json(f"{MODELS}/{NOT_FINITE}:{verb}", document)
            assert reply.status == 503, str(reply)
            assert isinstance(reply.document["error"], str)
