"""Direct requests: tensors are admitted, counted and released as forms are (see test_gateway)."""

from typing import Any

import pytest

from inference.observability.metrics import Metrics
from inference.server.access import AccessPolicy
from inference.server.admission import AdmissionController
from inference.server.direct.direct_requests import DirectRequests
from inference.server.direct.tensor_request import TensorRequest
from inference.server.direct.wire_answers import DirectAnswer, WireAnswer
from inference.server.request_head import RequestHead
from servicekit.trusted_hosts import TrustedHosts

URL = b"/v2/models/a/infer"
HEADERS = [
    (b"host", b"localhost"),
    (b"inference-header-content-length", b"2"),
    (b"content-length", b"4"),
]


class FakeTensorPath:
    """Takes every request, or none."""

    def __init__(self, *, takes: bool) -> None:
        self._takes = takes
        self.respond: Any = None

    def submit(self, _request: TensorRequest, _body: bytes, _id: str, respond: Any) -> bool:
        self.respond = respond
        return self._takes


class Setup:
    """Direct requests with one place."""

    def __init__(self, *, takes: bool = True) -> None:
        self.path = FakeTensorPath(takes=takes)
        self.metrics = Metrics()
        self.admission = AdmissionController(1, 100)
        access = AccessPolicy(TrustedHosts(frozenset()), None)
        self.requests = DirectRequests({}, None, self.path, self.metrics, self.admission, access)
        self.answers: list[DirectAnswer | None] = []

    def submit(self, url: bytes = URL, headers: Any = HEADERS) -> bool:
        request = self.requests.admit(url, RequestHead.parse(headers))
        assert isinstance(request, TensorRequest)

        def respond(answer: DirectAnswer | None, _request_id: bytes) -> None:
            self.answers.append(answer)

        return self.requests.submit(request, url, b"{}--", 0.0, b"an-id", respond)


@pytest.mark.parametrize("answer", [WireAnswer(b"", b"x"), None])
def test_tensor_holds_a_place_until_its_answer(answer: WireAnswer | None) -> None:
    setup = Setup()
    assert setup.submit()
    assert not setup.submit()
    setup.path.respond(answer)
    assert setup.answers == [answer]
    assert setup.admission.try_acquire(0) is None
    counted = 'operation="oip_infer",path="fast",status="200"} 1.0' in setup.metrics.text()
    assert counted == (answer is not None)


def test_json_of_tensorflow_serving_is_counted_as_such() -> None:
    setup = Setup()
    assert setup.submit(b"/v1/models/a:predict", [HEADERS[0], HEADERS[2]])
    setup.path.respond(b"{}")
    assert 'operation="tfs_predict",path="fast",status="200"} 1.0' in setup.metrics.text()


def test_declined_tensor_releases_its_place() -> None:
    setup = Setup(takes=False)
    assert not setup.submit()
    assert setup.admission.try_acquire(0) is None


@pytest.mark.parametrize(
    ("url", "headers"),
    [
        (b"/v2/models/a/ready", HEADERS),
        (URL, [*HEADERS, (b"origin", b"http://localhost")]),
        (URL, [(b"host", b"evil.example"), *HEADERS[1:]]),
        (URL, HEADERS[:2]),
    ],
)
def test_other_requests_are_not_admitted(url: bytes, headers: Any) -> None:
    assert Setup().requests.admit(url, RequestHead.parse(headers)) is None
