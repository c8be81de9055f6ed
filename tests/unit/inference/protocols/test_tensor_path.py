"""Tensor path: takes usual requests of little work, and leaves all others to the application."""

import asyncio
import json
from typing import Any

import numpy as np
import pytest

from inference.prediction.results import LoadedModel
from inference.protocols.tensor_path import TensorPath
from inference.server.direct.tensor_request import TensorRequest
from inference.server.direct.wire_answers import DirectAnswer, WireAnswer
from inference.server.request_head import RequestHead
from tests.support.fake_models import FakeNetwork, loaded
from tests.support.fake_predictor import predicting

PIXELS = np.arange(784).astype(np.uint8)


def request(
    images: int = 1, *, tail: bytes = b"", json_length: int | None = None, **changes: Any
) -> tuple[TensorRequest, bytes]:
    """Return a request of equal images; `changes` are those of its input."""
    tensor = PIXELS.tobytes() * images
    own = {
        "name": "image",
        "datatype": "UINT8",
        "shape": [images, 28, 28],
        "parameters": {"binary_data_size": len(tensor)},
    }
    document: dict[str, Any] = {"inputs": [{**own, **changes.pop("tensor", {})}], **changes}
    head = json.dumps(document).encode()
    body = head + tensor
    length = len(head) if json_length is None else json_length
    return TensorRequest(RequestHead(), True, "name", "a", len(body), length), body + tail  # noqa: FBT003


def json_request(document: Any, *, is_infer: bool) -> tuple[TensorRequest, bytes]:
    body = json.dumps(document).encode()
    return TensorRequest(RequestHead(), is_infer, "name", "a", len(body), 0), body


def submit(model: LoadedModel, *requests: tuple[TensorRequest, bytes]) -> list[Any]:
    """Return the answer to each request, False where it is not taken."""

    async def answer_all() -> list[Any]:
        with predicting(model) as predictor:
            path, answers = TensorPath(predictor), []
            for one, body in requests:
                future: asyncio.Future[DirectAnswer | None] = asyncio.Future()
                is_taken = path.submit(one, body, "an-id", future.set_result)
                answers.append(future if is_taken else None)
            return [False if future is None else await future for future in answers]

    return asyncio.run(answer_all())


def test_requests_of_a_turn_are_one_batch_and_keep_their_ids() -> None:
    network = FakeNetwork()
    first, second = submit(loaded("a", network), request(id="1"), request(id="2"))
    assert network.batches == [2]
    assert [json.loads(answer.body)["id"] for answer in (first, second)] == ["1", "2"]
    assert first.headers.startswith(b"content-type: application/json\r\nx-model-version: a@1")


def test_several_images_are_answered_with_all_their_rows() -> None:
    [answer] = submit(loaded(), request(3, parameters={"binary_data_output": True}))
    assert isinstance(answer, WireAnswer)
    assert np.frombuffer(answer.body[-24:], "<f4").tolist() == [0.25, 0.75] * 3
    assert b"content-type: application/octet-stream\r\n" in answer.headers


def test_json_of_both_protocols_is_answered() -> None:
    tensor = {"name": "image", "datatype": "UINT8", "shape": [1, 784], "data": PIXELS.tolist()}
    infer, predict = submit(
        loaded(),
        json_request({"inputs": [tensor]}, is_infer=True),
        json_request({"instances": [PIXELS.tolist()]}, is_infer=False),
    )
    assert json.loads(infer.body)["outputs"][0]["data"] == [0.25, 0.75]
    assert json.loads(predict.body) == {"predictions": [[0.25, 0.75]]}


@pytest.mark.parametrize(
    "unusual",
    [
        request(tail=b"x"),
        request(json_length=5),
        request(tensor={"name": "picture"}),
        request(tensor={"parameters": {}, "data": [1]}),
        json_request({"instances": [{"b64": "cG5n"}]}, is_infer=False),
        json_request({"instances": []}, is_infer=False),
        json_request({}, is_infer=True),
    ],
)
def test_unusual_request_is_left(unusual: tuple[TensorRequest, bytes]) -> None:
    assert submit(loaded(), unusual) == [False]


def test_long_work_is_left() -> None:
    assert submit(loaded("a", FakeNetwork(seconds_per_image=1.0)), request()) == [False]


def test_output_that_is_not_finite_is_left() -> None:
    model = loaded("a", FakeNetwork((float("nan"), 0.5)))
    assert submit(model, request(1)) == [None]
    assert submit(model, request(2)) == [False]
