"""Forms: requests of each protocol, and probabilities in their responses."""

from __future__ import annotations

import json

import numpy as np
import pytest

from bench.protocols.forms import BINARY, BINARY_FLOAT, JSON, NATIVE, ROWS, forms

PIXELS = np.arange(2 * 784, dtype=np.uint16).reshape(2, 28, 28).astype(np.uint8)
PNGS = [b"one", b"two"]
PROBABILITIES = np.arange(20).reshape(2, 10) / 20
LABELED = [{str(label): value for label, value in enumerate(row)} for row in PROBABILITIES.tolist()]
RESPONSES = {
    NATIVE: {"predictions": [{"answers": [{"probabilities": row}]} for row in LABELED]},
    JSON: {"outputs": [{"data": PROBABILITIES.ravel().tolist()}]},
    ROWS: {"predictions": PROBABILITIES.tolist()},
}


@pytest.mark.parametrize(("name", "dtype"), [(BINARY, "<u1"), (BINARY_FLOAT, "<f4")])
def test_binary_request_states_its_lengths(name: str, dtype: str) -> None:
    form = forms(2)[name]
    path, body = form.encode(PNGS, PIXELS, "lenet")
    assert path == "/v2/models/lenet/infer"
    [header] = form.headers
    length = int(header.removeprefix("Inference-Header-Content-Length: "))
    [tensor] = json.loads(body[:length])["inputs"]
    assert tensor["parameters"]["binary_data_size"] == len(body) - length
    found = np.frombuffer(body[length:], dtype).reshape(tensor["shape"])
    assert np.array_equal(found, PIXELS)


def test_json_requests_have_all_pixels() -> None:
    path, body = forms(2)[JSON].encode(PNGS, PIXELS, "lenet")
    [tensor] = json.loads(body)["inputs"]
    assert path == "/v2/models/lenet/infer"
    assert np.array_equal(np.reshape(tensor["data"], tensor["shape"]), PIXELS)
    path, body = forms(2)[ROWS].encode(PNGS, PIXELS, "lenet")
    assert path == "/v1/models/lenet:predict"
    assert np.array_equal(json.loads(body)["instances"], PIXELS)


@pytest.mark.parametrize("name", RESPONSES)
def test_decode_returns_the_probabilities(name: str) -> None:
    body = json.dumps(RESPONSES[name]).encode()
    assert np.array_equal(forms(2)[name].decode(body), PROBABILITIES)


def test_decode_of_one_native_image() -> None:
    found = forms(1)[NATIVE].decode(json.dumps({"probabilities": LABELED[0]}).encode())
    assert np.array_equal(found, PROBABILITIES[:1])


def test_decode_of_a_binary_answer_reads_its_end() -> None:
    body = b'{"outputs":[]}' + PROBABILITIES.astype("<f4").tobytes()
    assert np.allclose(forms(2)[BINARY].decode(body), PROBABILITIES)
