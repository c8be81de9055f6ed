"""Problem details: errors as application/problem+json, by ASGI and on the wire."""

import asyncio
import json

import pytest
from starlette.types import Message

from inference.errors import (
    InvalidValueError,
    KeyRequiredError,
    MalformedRequestError,
    OverloadedError,
    ServiceError,
)
from inference.server.problem_details import (
    encode_error,
    encode_problem,
    problem_headers,
    send_problem,
    wire_problem,
)
from servicekit import request_context


def test_encode_problem_names_the_request() -> None:
    assert json.loads(encode_problem({"status": 400}, "run-42")) == {
        "status": 400,
        "instance": "urn:mlops:request:run-42",
    }
    with request_context.of_request(b"current", None):
        assert json.loads(encode_problem({}))["instance"] == "urn:mlops:request:current"
    assert json.loads(encode_problem({}))["instance"] == "urn:mlops:request:none"


@pytest.mark.parametrize(
    ("error", "headers"),
    [
        (KeyRequiredError(), [(b"www-authenticate", b"X-API-Key")]),
        (OverloadedError(), [(b"retry-after", b"1")]),
        (ServiceError(), []),
    ],
)
def test_problem_headers_follow_the_status(
    error: ServiceError, headers: list[tuple[bytes, bytes]]
) -> None:
    assert problem_headers(error) == headers


def test_send_problem_sends_head_and_body() -> None:
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    asyncio.run(send_problem(send, InvalidValueError("Too large.", "images/0")))
    start, body = sent
    document = json.loads(body["body"])
    headers = dict(start["headers"])
    assert (start["status"], headers[b"content-type"]) == (422, b"application/problem+json")
    assert int(headers[b"content-length"]) == len(body["body"])
    assert headers[b"connection"] == b"close"
    assert document["errors"] == [{"path": "images/0", "message": "Too large."}]


def test_wire_problem_is_a_whole_response() -> None:
    head, _, body = wire_problem(OverloadedError(), b"an-id").partition(b"\r\n\r\n")
    status, *lines = head.split(b"\r\n")
    assert status == b"HTTP/1.1 503 Service Unavailable"
    assert {b"x-request-id: an-id", b"connection: close", b"retry-after: 1"} <= set(lines)
    assert b"content-length: %d" % len(body) in lines
    assert json.loads(body)["instance"] == "urn:mlops:request:an-id"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (KeyRequiredError(), "UNAUTHENTICATED"),
        (OverloadedError(), "TEMPORARILY_UNAVAILABLE"),
        (ServiceError(), "INTERNAL_ERROR"),
    ],
)
def test_send_problem_at_mlflow_paths_sends_its_document(error: ServiceError, code: str) -> None:
    messages: list[Message] = []

    async def send(message: Message) -> None:
        messages.append(message)

    asyncio.run(send_problem(send, error, "/api/2.0/mlflow/runs/create"))
    assert json.loads(messages[1]["body"]) == {"error_code": code, "message": error.detail}
    headers = dict(messages[0]["headers"])
    assert headers[b"content-type"] == b"application/json"
    assert b"retry-after" not in headers


@pytest.mark.parametrize(
    ("path", "expected"),
    [
        ("/v2/models/a/infer", {"error": "Too small."}),
        ("/v1/models/a:predict", {"error": "Too small."}),
        ("/invocations", {"error_code": "BAD_REQUEST", "message": "Too small."}),
        (
            "/api/2.0/mlflow/runs/get",
            {"error_code": "INVALID_PARAMETER_VALUE", "message": "Too small."},
        ),
    ],
)
def test_error_has_the_form_that_clients_of_its_path_read(
    path: str, expected: dict[str, str]
) -> None:
    error = MalformedRequestError("Too small.")
    media_type, body = encode_error(error, path)
    assert (media_type, json.loads(body)) == ("application/json", expected)
    head, _, on_wire = wire_problem(error, b"an-id", path).partition(b"\r\n\r\n")
    assert (on_wire, b"content-type: application/json" in head) == (body, True)


def test_headers_of_an_error_are_sent() -> None:
    error = MalformedRequestError("Too small.")
    error.headers = [(b"allow", b"GET")]
    assert problem_headers(error) == [(b"allow", b"GET")]
