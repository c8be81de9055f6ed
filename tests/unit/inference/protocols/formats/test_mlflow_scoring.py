"""MLflow scoring: every form of a request to images, and outputs to predictions."""

import json
from typing import Any

import numpy as np
import pytest

from inference.errors import MalformedRequestError
from inference.preprocessing.digits import TensorImage
from inference.protocols.errors import MediaTypeError
from inference.protocols.formats.mlflow_scoring import read
from inference.runtime.outputs import Outputs
from tests.support.fake_models import make_version

IMAGE = np.arange(784).reshape(1, 784) % 256
COLUMNS = list(range(784))
ROWS = IMAGE.tolist()
SCALED = (IMAGE / 255).tolist()
CSV = (",".join(map(str, COLUMNS)) + "\n" + ",".join(map(str, ROWS[0])) + "\n").encode()


def pixels(body: Any, content_type: bytes = b"application/json") -> Any:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    [image] = read(data, content_type).images
    assert isinstance(image, TensorImage)
    return image.pixels.ravel()


@pytest.mark.parametrize(
    "document",
    [
        {"inputs": ROWS},
        {"inputs": {"image": IMAGE.reshape(1, 28, 28).tolist()}},
        {"instances": ROWS},
        {"dataframe_split": {"columns": COLUMNS, "data": ROWS}},
        {"dataframe_split": {"index": [0], "columns": COLUMNS, "data": ROWS}},
        {"dataframe_records": [dict(zip(map(str, COLUMNS), ROWS[0], strict=True))]},
        {"inputs": SCALED, "params": {"scale": 255}},
        {"dataframe_split": {"columns": COLUMNS, "data": SCALED}, "params": {"scale": 255}},
    ],
)
def test_json_is_read(document: dict[str, Any]) -> None:
    assert (pixels(document) == IMAGE[0]).all()
    assert (pixels(document, b"Application/JSON; charset=utf-8") == IMAGE[0]).all()


def test_csv_is_read() -> None:
    assert (pixels(CSV, b"text/csv; charset=utf-8") == IMAGE[0]).all()


@pytest.mark.parametrize(
    "document",
    [
        {},
        {"inputs": ROWS, "instances": ROWS},
        {"inputs": ROWS, "more": 1},
        {"inputs": {"picture": ROWS}},
        {"inputs": []},
        {"inputs": SCALED},
        {"inputs": ROWS, "params": {"scale": 2}},
        {"inputs": ROWS, "params": 5},
        {"params": {"scale": 255}},
    ],
)
def test_json_that_is_wrong_is_refused(document: dict[str, Any]) -> None:
    with pytest.raises(MalformedRequestError):
        pixels(document)


@pytest.mark.parametrize("content_type", [b"", b"text/plain", b"multipart/form-data; boundary=x"])
def test_another_content_type_is_refused(content_type: bytes) -> None:
    with pytest.raises(MediaTypeError):
        pixels({"inputs": ROWS}, content_type)


def test_answer_is_a_list_of_rows() -> None:
    outputs = Outputs(np.array([[0.25, 0.75]], np.float32), [False], [1])
    question = read(json.dumps({"inputs": ROWS}).encode(), b"application/json")
    answer = question.encode("champion", make_version("a", version=2), outputs)
    assert json.loads(answer.body) == {"predictions": [[0.25, 0.75]]}
    assert answer.headers == ((b"x-model-version", b"a@2"),)
