"""Requests of the protocols' documents, sent by curl to the real service.

curl sends -d as application/x-www-form-urlencoded, which the documents' examples rely on.
"""

from __future__ import annotations

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest

from tests.support.client_service import KEY, Service, run_service

TOLERANCE = 1e-5
CHAMPION, NEWEST, LENET = "digits/1", "digits/2", "lenet/1"
CSV_HEADER = ",".join(f"pixel{number}" for number in range(784))


class Response(NamedTuple):
    """A response as curl prints it."""

    status: int
    version: str
    body: bytes

    @property
    def document(self) -> Any:
        return json.loads(self.body)


@pytest.fixture(scope="module")
def service(
    module_database: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Service]:
    with run_service(tmp_path_factory.mktemp("service"), module_database) as running:
        yield running


def curl(url: str, *arguments: str, key: str = KEY) -> Response:
    """Run curl as the documents do, with an API key."""
    command = ["curl", "--silent", "--include", url, *arguments]
    if key:
        command += ["-H", f"X-API-Key: {key}"]
    output = subprocess.run(command, stdout=subprocess.PIPE, check=True, timeout=30).stdout
    head, _, body = output.partition(b"\r\n\r\n")
    start, *lines = head.decode().splitlines()
    headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}
    return Response(int(start.split()[1]), headers.get("x-model-version", ""), body)


def send(url: str, document: object, *arguments: str) -> Response:
    return curl(url, "-d", json.dumps(document), *arguments)


@pytest.fixture(scope="module")
def rows(service: Service) -> Any:
    """Two digits as lists of rows."""
    return service.pixels[:2].tolist()


def is_litert(service: Service, model: str, probabilities: Any) -> bool:
    """Return whether probabilities of two digits are those of raw LiteRT."""
    return np.allclose(probabilities, service.expected(model)[:2], rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize(
    ("path", "model"),
    [
        ("digits", NEWEST),
        ("digits/versions/1", CHAMPION),
        ("digits/versions/2", NEWEST),
        ("digits/labels/champion", CHAMPION),
        ("mnist@champion", CHAMPION),
        ("lenet", LENET),
    ],
)
def test_tensorflow_serving_predict(service: Service, rows: Any, path: str, model: str) -> None:
    url = f"{service.url}/v1/models/{path}:predict"
    response = send(url, {"instances": rows}, "-X", "POST")
    assert response.status == 200, response.body
    assert is_litert(service, model, response.document["predictions"])
    assert response.version == model.replace("/", "@")


def test_tensorflow_serving_forms(service: Service, rows: Any) -> None:
    url = f"{service.url}/v1/models/digits:predict"
    scaled = (service.pixels[:2] / 255).tolist()
    documents: dict[str, dict[str, Any]] = {
        "named": {"instances": [{"image": row} for row in rows]},
        "signature": {"instances": rows, "signature_name": "serving_default"},
        "scaled": {"instances": scaled, "signature_name": "scaled"},
        "columns": {"inputs": rows},
        "named columns": {"inputs": {"image": rows}},
        "image files": {"instances": [{"b64": file} for file in service.files[:2]]},
    }
    found = {name: send(url, document).document for name, document in documents.items()}
    wrong = {
        name: document
        for name, document in found.items()
        if not is_litert(
            service, NEWEST, document.get("outputs" if "columns" in name else "predictions", 0)
        )
    }
    assert wrong == {}

    examples = {"examples": [{"image": row} for row in rows]}
    results = send(url.replace(":predict", ":classify"), examples).document["results"]
    assert [[label for label, _ in row] for row in results] == [list("0123456789")] * 2
    assert is_litert(service, NEWEST, [[value for _, value in row] for row in results])


def test_tensorflow_serving_status_and_metadata(service: Service) -> None:
    url = f"{service.url}/v1/models/digits"
    states = {
        path: sorted(
            (one["version"], one["state"], one["status"]["error_code"])
            for one in curl(url + path).document["model_version_status"]
        )
        for path in ("", "/versions/1", "/labels/champion")
    }
    first, second = ("1", "AVAILABLE", "OK"), ("2", "AVAILABLE", "OK")
    assert states == {"": [first, second], "/versions/1": [first], "/labels/champion": [first]}
    metadata = curl(f"{url}/versions/1/metadata").document
    assert metadata["model_spec"] == {"name": "digits", "signature_name": "", "version": "1"}
    signature = metadata["metadata"]["signature_def"]["signature_def"]["serving_default"]
    assert signature["method_name"] == "tensorflow/serving/predict"
    assert signature["inputs"]["image"]["dtype"] == "DT_UINT8"
    assert curl(f"{service.url}/v1/models").document == {"models": ["digits", "lenet"]}


def test_open_inference(service: Service, rows: Any, tmp_path: Path) -> None:
    url = f"{service.url}/v2/models/digits"
    tensor = {"name": "image", "shape": [2, 28, 28], "datatype": "UINT8", "data": rows}
    for path, model in (("", NEWEST), ("/versions/1", CHAMPION)):
        document = send(f"{url}{path}/infer", {"id": "42", "inputs": [tensor]}).document
        assert (document["id"], document["model_name"]) == ("42", "digits")
        assert document["model_version"] == model[-1]
        [output] = document["outputs"]
        assert (output["datatype"], output["shape"]) == ("FP32", [2, 10])
        assert is_litert(service, model, np.reshape(output["data"], (2, 10)))

    raw = tmp_path / "digit.raw"
    raw.write_bytes(service.pixels[0].tobytes())
    length = ("-H", "Inference-Header-Content-Length: 0", "--data-binary", f"@{raw}")
    octets = ("-H", "Content-Type: application/octet-stream")
    response = curl(f"{url}/infer", *length, *octets)
    assert response.status == 200, response.body
    found = np.frombuffer(response.body[-40:], "<f4")
    assert np.allclose(found, service.expected(NEWEST)[0], rtol=0, atol=TOLERANCE)

    assert curl(f"{service.url}/v2/health/live").document == {"live": True}
    assert curl(f"{service.url}/v2/health/ready").document == {"ready": True}
    assert curl(f"{url}/ready").document["ready"] is True
    assert curl(f"{url}/versions/3/ready").status == 404


def test_mlflow_forms(service: Service, rows: Any, tmp_path: Path) -> None:
    flat = service.pixels[:2].reshape(2, 784).tolist()
    split = {"columns": list(range(784)), "data": flat}
    records = [{f"pixel{n}": value for n, value in enumerate(row)} for row in flat]
    as_json = ("-H", "Content-Type: application/json")
    documents: dict[str, Any] = {
        "dataframe_split": split,
        "dataframe_records": records,
        "instances": rows,
        "inputs": rows,
    }
    table = tmp_path / "digits.csv"
    lines = [CSV_HEADER, *(",".join(map(str, row)) for row in flat)]
    table.write_text("\n".join(lines) + "\n")
    as_csv = ("-H", "Content-Type: text/csv", "--data-binary", f"@{table}")
    for path, model in (("/invocations", CHAMPION), ("/mlflow/lenet/invocations", LENET)):
        url = service.url + path
        found = {name: send(url, {name: value}, *as_json) for name, value in documents.items()}
        found["csv"] = curl(url, *as_csv)
        wrong = {
            name: response.body
            for name, response in found.items()
            if response.status != 200
            or not is_litert(service, model, response.document["predictions"])
        }
        assert wrong == {}
        assert {response.version for response in found.values()} == {model.replace("/", "@")}
    assert curl(f"{service.url}/ping").status == 200
    assert curl(f"{service.url}/health").status == 200


def test_refusals_have_the_protocol_form(service: Service, rows: Any) -> None:
    instances = json.dumps({"instances": rows})
    as_json = ("-H", "Content-Type: application/json")
    host = ("-H", "Host: evil.example.org")
    v1, v2, mlflow = "/v1/models/digits:predict", "/v2/models/digits/infer", "/invocations"
    too_large = ("-H", "Content-Length: 99999999")

    def refused(path: str, *arguments: str, key: str = KEY) -> tuple[int, str]:
        response = curl(service.url + path, *arguments, key=key)
        document = response.document
        if "invocations" in path:
            assert document["error_code"]
            return response.status, document["message"]
        return response.status, document["error"]

    unknown, missing_key, wrong_host = "Unknown model.", "X-API-Key", "ALLOWED_HOSTS"
    label = "/v1/models/lenet/labels/champion"
    cases = [
        (404, unknown, refused("/v1/models/none:predict", "-d", instances)),
        (404, unknown, refused("/v2/models/none/infer", "-d", "{}")),
        (404, unknown, refused("/mlflow/none/invocations", "-d", instances, *as_json)),
        (404, "digits", refused(f"{label}:predict", "-d", instances)),
        (415, "text/csv", refused(mlflow, "-d", instances)),
        *((401, missing_key, refused(path, "-d", "{}", key="")) for path in (v1, v2, mlflow)),
        *((403, wrong_host, refused(path, "-d", "{}", *host)) for path in (v1, v2, mlflow)),
        *((413, "bytes", refused(path, "-d", "{}", *too_large)) for path in (v1, v2, mlflow)),
    ]
    wrong = [
        (status, sentence, found)
        for status, sentence, found in cases
        if status != found[0] or sentence not in found[1]
    ]
    assert wrong == []
