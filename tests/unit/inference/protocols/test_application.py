"""Protocol application: requests to answers and errors, each in the form of its protocol."""

import asyncio
import gzip
import json
from collections.abc import Sequence
from typing import Any, cast

import numpy as np
import pytest
from starlette.types import Message, Receive, Scope, Send

from inference.errors import JournalFullError
from inference.models.repository import ModelRepository
from inference.models.version import State
from inference.prediction.predictor import Predictor
from inference.prediction.resolver import ModelResolver
from inference.protocols.application import ProtocolApplication
from inference.protocols.catalog import Catalog
from inference.protocols.runner import Runner
from tests.support.fake_models import FakeRepository, loaded, make_version
from tests.support.fake_predictor import predicting

IMAGE = np.arange(784).reshape(28, 28) % 256
INFER = {
    "inputs": [
        {
            "name": "image",
            "datatype": "UINT8",
            "shape": [1, 28, 28],
            "data": IMAGE.ravel().tolist(),
        }
    ]
}
REFUSALS: list[None] = []


class Failing:
    """A predictor whose models raise an error."""

    def __init__(self, predictor: Predictor, error: Exception) -> None:
        self.resolve, self.read = predictor.resolve, predictor.read
        self._error = error

    def predict_batch(self, *_arguments: object) -> None:
        raise self._error


async def passed_on(_scope: Scope, _receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 299, "headers": []})
    await send({"type": "http.response.body", "body": b""})


def application(predictor: Predictor) -> ProtocolApplication:
    repository = cast(
        "ModelRepository", FakeRepository(make_version("a"), make_version("b", state=State.LOADING))
    )
    return ProtocolApplication(
        passed_on,
        Runner(predictor),
        Catalog(repository, ModelResolver(repository)),
        lambda: True,
        invocations_model="a",
        max_request_bytes=1_000_000,
        count_refusal=lambda: REFUSALS.append(None),
    )


def ask(
    method: str,
    path: str,
    body: Any = b"",
    headers: Sequence[tuple[bytes, bytes]] = (),
    *,
    error: Exception | None = None,
) -> tuple[int, dict[bytes, bytes], bytes]:
    """Return the status, headers and body of the answer; `error` is raised by the predictor."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    sent: list[Message] = []

    async def receive() -> Message:
        return {"type": "http.request", "body": data}

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {"type": "http", "method": method, "path": path, "headers": list(headers)}
    with predicting(loaded()) as predictor:
        own = predictor if error is None else cast("Predictor", Failing(predictor, error))
        asyncio.run(application(own)(scope, receive, send))
    return sent[0]["status"], dict(sent[0]["headers"]), sent[1]["body"]


@pytest.mark.parametrize(
    ("path", "body", "headers"),
    [
        ("/v2/models/a/infer", INFER, ()),
        ("/v2/models/a/infer", gzip.compress(json.dumps(INFER).encode(), mtime=0),
         [(b"content-encoding", b"gzip")]),
        ("/v2/models/a/infer", IMAGE.astype(np.uint8).tobytes(),
         [(b"inference-header-content-length", b"0")]),
        ("/v1/models/a:predict", {"instances": [IMAGE.tolist()] * 2}, ()),
        ("/v1/models/a:classify", {"examples": [{"image": IMAGE.tolist()}]}, ()),
        ("/invocations", {"inputs": [IMAGE.tolist()]}, [(b"content-type", b"application/json")]),
        ("/mlflow/a/invocations", {"inputs": [IMAGE.tolist()]},
         [(b"content-type", b"application/json")]),
    ],
)  # fmt: skip
def test_question_is_answered_with_its_version(path: str, body: Any, headers: Any) -> None:
    status, answered, document = ask("POST", path, body, headers)
    assert (status, answered[b"x-model-version"]) == (200, b"a@1")
    assert int(answered[b"content-length"]) == len(document)


def test_body_of_many_images_is_read_in_a_thread() -> None:
    status, _, body = ask("POST", "/v1/models/a:predict", {"instances": [IMAGE.tolist()] * 120})
    assert (status, len(json.loads(body)["predictions"])) == (200, 120)


@pytest.mark.parametrize(
    ("path", "status", "document"),
    [
        ("/v2/models/a/infer", 400, {"error"}),
        ("/v2/elsewhere", 404, {"error"}),
        ("/v1/models/a/versions/x:predict", 400, {"error"}),
        ("/invocations", 415, {"error_code", "message"}),
        ("/ping", 405, {"error_code", "message"}),
    ],
)
def test_error_has_the_form_of_its_protocol(path: str, status: int, document: set[str]) -> None:
    answered, headers, body = ask("POST", path, b"x")
    assert (answered, json.loads(body).keys()) == (status, document)
    assert b"connection" not in headers  # the body is read: the connection stays


def test_index_reads_its_body() -> None:
    for body, count in ((b"", 2), ({"ready": True}, 1)):
        assert len(json.loads(ask("POST", "/v2/repository/index", body)[2])) == count


def test_root_is_for_clients_and_browsers() -> None:
    assert ask("GET", "/")[2] == b'{"status":"alive"}'
    assert ask("GET", "/", headers=[(b"accept", b"text/html,*/*")])[0] == 299
    assert ask("POST", "/")[0] == 299
    assert ask("GET", "/api/v1.0/models")[0] == 299


def test_full_log_is_counted_and_said() -> None:
    REFUSALS.clear()
    status, headers, body = ask("POST", "/v2/models/a/infer", INFER, error=JournalFullError())
    assert (status, headers[b"retry-after"], len(REFUSALS)) == (503, b"5", 1)
    assert "log is full" in json.loads(body)["error"]


def test_failure_is_logged_and_says_nothing(caplog: pytest.LogCaptureFixture) -> None:
    status, _, body = ask("POST", "/v2/models/a/infer", INFER, error=RuntimeError("secret"))
    assert (status, b"secret" in body) == (500, False)
    assert "failed" in caplog.text


def test_client_that_left_gets_nothing() -> None:
    async def receive() -> Message:
        return {"type": "http.disconnect"}

    async def send(_message: Message) -> None:
        raise AssertionError

    scope = {"type": "http", "method": "POST", "path": "/v2/models/a/infer", "headers": []}
    with predicting(loaded()) as predictor:
        asyncio.run(application(predictor)(scope, receive, send))
