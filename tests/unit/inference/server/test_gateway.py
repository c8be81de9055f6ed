"""Gateway: request ids, limits, access and metrics around an application, and the fast path."""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Callable, Sequence
from typing import Any

import pytest
from starlette.types import Message, Receive, Scope, Send

from inference.observability.metrics import Metrics
from inference.server.access import AccessPolicy
from inference.server.admission import AdmissionController
from inference.server.direct.fast_path_interface import Answer, FastPath
from inference.server.direct.multipart import MultipartRequest
from inference.server.direct.wire_answers import DirectAnswer
from inference.server.gateway import Gateway
from inference.server.request_head import RequestHead
from inference.server.routes import Routes
from servicekit.request_context import current_request_id
from servicekit.trusted_hosts import TrustedHosts

ROUTES = Routes(
    base_path="/api",
    operations=frozenset({"infer", "healthz"}),
    always_admitted=frozenset({"healthz"}),
    private_reads=frozenset(),
    fast_paths={"/api/infer": "infer"},
    streamed_bodies={re.compile("/api/upload"): 5_000_000},
)
MAX_BYTES = 1000
PLAIN = (
    (b"host", b"localhost"),
    (b"content-type", b"multipart/form-data; boundary=x"),
    (b"content-length", b"4"),
)
Headers = Sequence[tuple[bytes, bytes]]


class FakeFastPath:
    """Gives the same answer to every request, None to decline it."""

    def __init__(self, answer: Answer | None) -> None:
        self._answer = answer
        self.bodies: list[bytes] = []
        self.respond: Callable[[bytes | None], None] | None = None

    def submit(
        self,
        _operation: str,
        _request: MultipartRequest,
        body: bytes,
        _request_id: str,
        respond: Callable[[bytes | None], None],
    ) -> bool:
        self.bodies.append(body)
        self.respond = respond
        return self._answer is not None

    async def answer(
        self, _operation: str, _request: MultipartRequest, body: bytes, _request_id: str
    ) -> Answer | None:
        self.bodies.append(body)
        return self._answer


class Application:
    """An ASGI application that echoes the body; it records its scopes and request ids."""

    def __init__(self, error: Exception | None = None) -> None:
        self._error = error
        self.scopes: list[Scope] = []
        self.request_ids: list[str] = []

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        self.scopes.append(scope)
        self.request_ids.append(current_request_id())
        if self._error is not None:
            raise self._error
        body, has_more = b"", True
        while has_more:
            message = await receive()
            body += message.get("body", b"")
            has_more = message.get("more_body", False)
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": body})


class Setup:
    """A gateway with its parts, and a client of it."""

    def __init__(
        self,
        *,
        app: Application | None = None,
        fast_path: FastPath | None = None,
        max_requests: int = 2,
    ) -> None:
        self.app = app or Application()
        self.metrics = Metrics()
        self.admission = AdmissionController(max_requests, MAX_BYTES)
        access = AccessPolicy(TrustedHosts(frozenset()), None)
        self.gateway = Gateway(
            self.app, ROUTES, fast_path, self.metrics, self.admission, access, MAX_BYTES
        )

    def ask(
        self,
        headers: Headers = PLAIN,
        chunks: Sequence[bytes] = (b"bo", b"dy"),
        *,
        method: str = "POST",
        path: str = "/api/infer",
    ) -> tuple[int, dict[bytes, bytes], bytes]:
        """Return the status, headers and body of a response."""
        incoming: list[Message] = [
            {"type": "http.request", "body": chunk, "more_body": True} for chunk in chunks
        ]
        incoming[-1]["more_body"] = False
        sent: list[Message] = []

        async def receive() -> Message:
            return incoming.pop(0)

        async def send(message: Message) -> None:
            sent.append(message)

        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "query_string": b"",
            "headers": list(headers),
        }
        asyncio.run(self.gateway(scope, receive, send))
        body = b"".join(message["body"] for message in sent[1:])
        return sent[0]["status"], dict(sent[0]["headers"]), body

    def detail(self, headers: Headers, **options: Any) -> tuple[int, str]:
        """Return the status and detail of a problem."""
        status, _, body = self.ask(headers, **options)
        return status, json.loads(body)["detail"]


def test_request_without_fast_path_goes_to_the_application() -> None:
    setup = Setup()
    status, headers, body = setup.ask()
    assert (status, body) == (200, b"body")
    assert headers[b"x-request-id"].decode() == setup.app.request_ids[0]
    assert 'path="connexion",status="200"' in setup.metrics.text()


def test_request_id_is_kept_if_valid_else_replaced() -> None:
    setup = Setup()
    _, kept, _ = setup.ask([*PLAIN, (b"x-request-id", b"run-42.a_b")])
    _, replaced, _ = setup.ask([*PLAIN, (b"x-request-id", b"a b<script>")])
    assert kept[b"x-request-id"] == b"run-42.a_b"
    assert len(replaced[b"x-request-id"]) == 32


def test_fast_path_answers_without_the_application() -> None:
    fast_path = FakeFastPath(b"{}")
    setup = Setup(fast_path=fast_path)
    status, headers, body = setup.ask()
    assert (status, headers[b"content-length"], body) == (200, b"2", b"{}")
    assert (fast_path.bodies, setup.app.scopes) == ([b"body"], [])
    assert 'path="fast",status="200"' in setup.metrics.text()


def test_fast_path_stream_is_sent_in_pieces() -> None:
    async def lines() -> AsyncIterator[bytes]:
        yield b"1\n"
        yield b"2\n"

    status, headers, body = Setup(fast_path=FakeFastPath(lines())).ask()
    assert (status, headers[b"content-type"], body) == (200, b"application/x-ndjson", b"1\n2\n")


def test_declined_request_reaches_the_application_whole() -> None:
    fast_path = FakeFastPath(None)
    setup = Setup(fast_path=fast_path)
    _, headers, body = setup.ask()
    assert (fast_path.bodies, body) == ([b"body"], b"body")
    assert headers[b"x-request-id"].decode() == setup.app.request_ids[0]


@pytest.mark.parametrize(
    ("headers", "options"),
    [
        (PLAIN, {"method": "GET"}),
        (PLAIN, {"path": "/api/other"}),
        ([*PLAIN, (b"expect", b"x")], {}),
    ],
)
def test_unusual_request_skips_the_fast_path(headers: Headers, options: dict[str, Any]) -> None:
    fast_path = FakeFastPath(b"{}")
    assert Setup(fast_path=fast_path).ask(headers, **options)[0] == 200
    assert fast_path.bodies == []


@pytest.mark.parametrize(
    ("length", "status"),
    [
        (b"1000", 200),
        (b"1001", 413),
        (b"9" * 13, 413),
        (b"many", 400),
        (b"-1", 400),
        (b"+1", 400),
        (b"", 400),
    ],
)
def test_content_length_is_checked(length: bytes, status: int) -> None:
    headers = [(b"host", b"localhost"), (b"content-length", length)]
    assert Setup().ask(headers)[0] == status


def test_compressed_body_is_refused() -> None:
    status, detail = Setup().detail([*PLAIN, (b"content-encoding", b"gzip")])
    assert (status, "Content-Encoding" in detail) == (415, True)


def test_chunked_body_gets_a_content_length() -> None:
    setup = Setup()
    headers = [(b"host", b"localhost"), (b"transfer-encoding", b"chunked")]
    assert setup.ask(headers)[2] == b"body"
    assert setup.app.scopes[0]["headers"] == [(b"host", b"localhost"), (b"content-length", b"4")]


def test_chunked_body_over_the_limit_is_refused() -> None:
    setup = Setup()
    headers = [(b"host", b"localhost"), (b"transfer-encoding", b"chunked")]
    status, _ = setup.detail(headers, chunks=[b"x" * 600] * 3)
    assert (status, setup.app.scopes) == (413, [])
    assert 'mlops_limit_hits_total{limit="request_bytes"} 1.0' in setup.metrics.text()


def test_foreign_host_is_refused_and_counted() -> None:
    setup = Setup(fast_path=FakeFastPath(b"{}"))
    assert setup.detail([(b"host", b"evil.example"), *PLAIN[1:]])[0] == 403
    assert 'mlops_limit_hits_total{limit="host"} 1.0' in setup.metrics.text()


@pytest.mark.parametrize("is_fast", [True, False])
def test_response_is_shared_with_a_trusted_origin(*, is_fast: bool) -> None:
    setup = Setup(fast_path=FakeFastPath(b"{}") if is_fast else None)
    status, headers, _ = setup.ask([*PLAIN, (b"origin", b"http://localhost:5173")])
    assert (status, headers[b"vary"]) == (200, b"origin")
    assert headers[b"access-control-allow-origin"] == b"http://localhost:5173"
    status, headers, _ = setup.ask([*PLAIN, (b"origin", b"https://evil.example")])
    assert (status, headers[b"vary"]) == (403, b"origin")
    assert b"access-control-allow-origin" not in headers


def test_preflight_is_answered_without_the_application() -> None:
    setup = Setup(max_requests=0)
    for origin, expected in ((b"http://localhost:5173", 204), (b"https://evil.example", 403)):
        headers = [(b"host", b"localhost"), (b"origin", origin)]
        assert setup.ask(headers, method="OPTIONS")[0] == expected
    assert setup.app.scopes == []
    assert 'mlops_limit_hits_total{limit="host"} 1.0' in setup.metrics.text()


def test_overload_is_refused_but_not_for_health() -> None:
    setup = Setup(max_requests=0, fast_path=FakeFastPath(b"{}"))
    status, headers, _ = setup.ask()
    assert (status, headers[b"retry-after"]) == (503, b"1")
    assert setup.ask(method="GET", path="/api/healthz")[0] == 200
    assert 'mlops_limit_hits_total{limit="requests"} 1.0' in setup.metrics.text()


@pytest.mark.parametrize("answer", [b"{}", None])
def test_each_request_releases_its_slot(answer: bytes | None) -> None:
    setup = Setup(max_requests=1, fast_path=FakeFastPath(answer))
    assert [setup.ask()[0] for _ in range(3)] == [200] * 3
    assert setup.admission.try_acquire(0) is None


def test_application_error_is_counted_and_raised() -> None:
    setup = Setup(app=Application(RuntimeError("broken")), max_requests=1)
    for _ in range(2):  # the second has the slot of the first
        with pytest.raises(RuntimeError):
            setup.ask()
    assert 'status="500"} 2.0' in setup.metrics.text()


def test_other_scopes_pass_untouched() -> None:
    setup = Setup()
    received: list[Scope] = []

    async def app(scope: Scope, _receive: Receive, _send: Send) -> None:
        received.append(scope)

    setup.gateway._app = app

    async def unused(*_message: Message) -> Message:
        raise AssertionError

    asyncio.run(setup.gateway({"type": "lifespan"}, unused, unused))  # type: ignore[arg-type]
    assert received == [{"type": "lifespan"}]


def test_admit_returns_only_fast_requests() -> None:
    gateway = Setup(fast_path=FakeFastPath(b"{}")).gateway
    head = RequestHead.parse(PLAIN)
    admitted = gateway.admit(b"/api/infer?a=b", head)
    assert isinstance(admitted, MultipartRequest)
    assert admitted.query == {"a": ["b"]}
    assert gateway.admit(b"/api/other", head) is None
    own_page = RequestHead.parse([*PLAIN, (b"origin", b"http://localhost")])
    assert gateway.admit(b"/api/infer", own_page) is None  # needs headers for the page
    assert gateway.admit(b"/api/infer", RequestHead(host=b"evil.example")) is None
    assert Setup().gateway.admit(b"/api/infer", head) is None


@pytest.mark.parametrize("answer", [b"{}", None])
def test_submit_holds_a_slot_until_the_response(answer: bytes | None) -> None:
    fast_path = FakeFastPath(b"{}")
    setup = Setup(max_requests=1, fast_path=fast_path)
    request = setup.gateway.admit(b"/api/infer", RequestHead.parse(PLAIN))
    assert request is not None
    responses: list[DirectAnswer | None] = []

    def respond(answer: DirectAnswer | None, _request_id: bytes) -> None:
        responses.append(answer)

    assert setup.gateway.submit(request, b"/api/infer", b"body", 0.0, respond)
    assert not setup.gateway.submit(request, b"/api/infer", b"body", 0.0, respond)
    assert fast_path.respond is not None
    fast_path.respond(answer)
    assert responses == [answer]
    assert setup.admission.try_acquire(0) is None
    assert ('path="fast"' in setup.metrics.text()) == (answer is not None)


def test_declined_submit_releases_its_slot() -> None:
    setup = Setup(max_requests=1, fast_path=FakeFastPath(None))
    request = setup.gateway.admit(b"/api/infer", RequestHead.parse(PLAIN))
    assert request is not None
    for _ in range(2):
        assert not setup.gateway.submit(request, b"/api/infer", b"", 0.0, lambda *_: None)
    assert setup.admission.try_acquire(0) is None


def test_streamed_body_has_a_limit_of_its_own_and_takes_no_memory() -> None:
    large_bytes: list[int] = []

    class Watching(Application):
        async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
            large_bytes.append(setup.admission._large_bytes)
            await super().__call__(scope, receive, send)

    setup = Setup(app=Watching())
    headers = [*PLAIN[:2], (b"content-length", b"5000000")]
    assert setup.ask(headers, path="/api/upload")[0] == 200
    assert large_bytes == [0]
    too_long = [*PLAIN[:2], (b"content-length", b"5000001")]
    assert setup.detail(too_long, path="/api/upload") == (
        413,
        "The body is larger than 5000000 bytes. Send less in one request.",
    )
    assert setup.ask(headers, path="/api/upload/more")[0] == 413  # only the path itself


def test_streamed_body_in_chunks_is_not_read_ahead() -> None:
    setup = Setup()
    headers = [*PLAIN[:2], (b"transfer-encoding", b"chunked")]
    assert setup.ask(headers, [b"a"] * 3, path="/api/upload")[2] == b"aaa"
    [scope] = setup.app.scopes
    assert (b"transfer-encoding", b"chunked") in scope["headers"]


@pytest.mark.parametrize(
    ("path", "accept", "is_reported"),
    [
        ("/api/infer", b"*/*", True),
        ("/api/infer", b"application/x-ndjson", False),
        ("/api/upload", b"*/*", False),
    ],
)
def test_request_that_takes_its_time_is_reported_unless_it_is_long(
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    path: str,
    accept: bytes,
    is_reported: bool,  # noqa: FBT001
) -> None:
    monkeypatch.setattr("inference.server.gateway.SLOW_SECONDS", 0.0)
    Setup().ask([*PLAIN, (b"accept", accept)], path=path)
    assert ("Request failed or was slow." in caplog.text) == is_reported


@pytest.mark.parametrize("answer", [None, b"{}"], ids=["application", "fast path"])
def test_response_closes_its_connection_while_draining(answer: bytes | None) -> None:
    setup = Setup(fast_path=FakeFastPath(answer))
    assert b"connection" not in setup.ask()[1]
    setup.gateway.drain.is_active = True
    status, headers, _ = setup.ask()
    assert (status, headers[b"connection"]) == (200, b"close")


def test_problem_closes_its_connection_while_draining() -> None:
    setup = Setup()
    setup.gateway.drain.is_active = True
    status, headers, _ = setup.ask([(b"host", b"evil.example")])
    assert (status, headers[b"connection"]) == (403, b"close")
