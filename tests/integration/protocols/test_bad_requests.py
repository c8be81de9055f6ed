"""Bad requests of every serving protocol: each is refused quickly, in the protocol's own shape."""

from collections.abc import Callable
from typing import Any

import pytest

from tests.corpus.protocol_requests import (
    mlflow_scoring,
    open_inference,
    open_inference_binary,
    tensorflow_serving,
)
from tests.corpus.protocol_requests.message import CANARY, BadRequest
from tests.support.protocol_service import SMALL, ProtocolService, Reply

MIN_REQUESTS = 40
MAX_SECONDS = 1.0
MAX_ERROR_BYTES = 1024
MAX_GROWTH_BYTES = 400 * 2**20  # of the process: less than a decompressed bomb
MLFLOW_CODES = {400: "BAD_REQUEST", 404: "RESOURCE_DOES_NOT_EXIST"}
CORPORA: dict[str, Callable[[], list[BadRequest]]] = {
    "open_inference": lambda: open_inference.bad_requests(SMALL),
    "open_inference_binary": lambda: open_inference_binary.bad_requests(SMALL),
    "tensorflow_serving": lambda: tensorflow_serving.bad_requests(SMALL),
    "mlflow_scoring": lambda: mlflow_scoring.bad_requests(SMALL),
}


def answers_to_good_requests(service: ProtocolService) -> list[Any]:
    """Return the answers to a good request of each protocol."""
    image = [[0] * 28] * 28
    tensor = {"name": "image", "shape": [1, 28, 28], "datatype": "UINT8", "data": [image]}
    replies = [
        service.post_json(f"/v2/models/{SMALL}/infer", {"inputs": [tensor]}),
        service.post_json(f"/v1/models/{SMALL}:predict", {"instances": [image]}),
        service.post_json("/invocations", {"inputs": [image]}),
    ]
    assert [reply.status for reply in replies] == [200, 200, 200]
    return [reply.document for reply in replies]


def faults_of(reply: Reply, request: BadRequest, protocol: str) -> list[str]:
    """Return what is wrong with the answer to a bad request."""
    if reply.status not in request.statuses:
        return [f"status {reply.status} instead of {sorted(request.statuses)}"]
    faults = []
    if not reply.headers.get("content-type", "").startswith("application/"):
        faults.append("media type")
    if reply.seconds > MAX_SECONDS:
        faults.append(f"{reply.seconds:.2f} s")
    if len(reply.body) > MAX_ERROR_BYTES:
        faults.append(f"{len(reply.body)} bytes")
    if CANARY in reply.body.decode():
        faults.append("repeats what the client sent")
    for name, value in request.answer_headers.items():
        if value not in reply.headers.get(name, ""):
            faults.append(f"header {name}")
    if request.method == "HEAD":
        return faults
    document = reply.document
    if protocol == "mlflow_scoring":
        message = document.get("message")
        expected = MLFLOW_CODES.get(reply.status, document.get("error_code"))
        if not isinstance(expected, str) or document.get("error_code") != expected:
            faults.append("error_code")
    else:
        message = document.get("error")
    if not isinstance(message, str) or not message.endswith((".", "/")) or "\n" in message:
        return [*faults, "message"]
    faults += [f"does not mention {word}" for word in request.mentions if word not in message]
    return faults


@pytest.mark.parametrize("protocol", CORPORA)
def test_bad_request_is_refused_in_its_protocol(service: ProtocolService, protocol: str) -> None:
    requests = CORPORA[protocol]()
    assert len(requests) >= MIN_REQUESTS
    assert len({request.name for request in requests}) == len(requests)
    before, peak = answers_to_good_requests(service), service.peak_bytes
    found = {}
    for request in requests:
        reply = _send(service, request)
        if reply.seconds > MAX_SECONDS:  # of a pause of the machine
            reply = _send(service, request)
        if faults := faults_of(reply, request, protocol):
            found[request.name] = f"{'; '.join(faults)}: {reply}"
    assert found == {}
    assert answers_to_good_requests(service) == before
    assert service.peak_bytes - peak < MAX_GROWTH_BYTES


def _send(service: ProtocolService, request: BadRequest) -> Reply:
    return service.send(
        request.method,
        request.path,
        request.body,
        request.headers,
        is_chunked=request.is_chunked,
    )
