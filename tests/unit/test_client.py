"""The client of the API, against a real server on a real socket."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from web.client import Answer, ApiClient, ApiProblem, ApiUnreachable, Prediction, Readiness

# (method, path, query, body) -> status, document or raw bytes
Responder = Callable[[str, str, dict[str, list[str]], bytes], tuple[int, Any]]


class FakeApi:
    """A server that answers as the test says, and counts."""

    def __init__(self) -> None:
        self.respond: Responder = lambda *_: (404, {"title": "Not Found", "detail": ""})
        self.connections = 0
        self.most_at_once = 0
        self.headers: list[dict[str, str]] = []
        self._now = 0
        self._lock = threading.Lock()
        fake = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self) -> None:
                fake.connections += 1
                super().setup()

            def log_message(self, *_: Any) -> None:
                """Say nothing."""

            def _answer(self) -> None:
                with fake._lock:
                    fake._now += 1
                    fake.most_at_once = max(fake.most_at_once, fake._now)
                url = urlsplit(self.path)
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                fake.headers.append(dict(self.headers))
                status, said = fake.respond(self.command, url.path, parse_qs(url.query), body)
                data = said if isinstance(said, bytes) else json.dumps(said).encode()
                with fake._lock:
                    fake._now -= 1
                self.send_response(status)
                self.send_header("Content-Length", str(len(data)))
                self.end_headers()
                self.wfile.write(data)

            do_GET = do_POST = _answer  # noqa: N815  # the names that http.server calls

        self.server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.server.server_port}/api/v1.0"
        threading.Thread(target=self.server.serve_forever, args=(0.02,), daemon=True).start()

    def close(self) -> None:
        self.server.shutdown()
        self.server.server_close()


@pytest.fixture
def api() -> Iterator[FakeApi]:
    fake = FakeApi()
    yield fake
    fake.close()


def answer(label: str) -> dict[str, Any]:
    return {"class": label, "confidence": 0.9, "probabilities": {label: 0.9, "0": 0.1}}


def test_a_prediction_sends_the_image_under_the_name_of_the_contract(api: FakeApi) -> None:
    seen: list[tuple[Any, ...]] = []

    def respond(method: str, path: str, query: dict[str, list[str]], body: bytes) -> tuple[int, Any]:
        seen.append((method, path, query, b'name="image_blob"' in body, b"IMAGE" in body))
        return 200, answer("7")

    api.respond = respond
    ApiClient(api.url).predict(b"IMAGE", ["a b&c"])
    assert seen == [("POST", "/api/v1.0/inference", {"experiment_name": ["a b&c"]}, True, True)]


def test_answers_come_in_the_order_of_the_experiments(api: FakeApi) -> None:
    def respond(_: str, __: str, query: dict[str, list[str]], ___: bytes) -> tuple[int, Any]:
        name = query["experiment_name"][0]
        time.sleep(0.05 if name == "slow" else 0)
        return 200, answer({"slow": "1", "quick": "2"}[name])

    api.respond = respond
    answers = ApiClient(api.url).predict(b"", ["slow", "quick"])
    assert [(each.experiment, each.prediction and each.prediction.label) for each in answers] == [
        ("slow", "1"),
        ("quick", "2"),
    ]


def test_experiments_are_asked_at_the_same_time(api: FakeApi) -> None:
    def respond(*_: Any) -> tuple[int, Any]:
        time.sleep(0.1)
        return 200, answer("1")

    api.respond = respond
    ApiClient(api.url).predict(b"", ["a", "b", "c", "d"])
    assert api.most_at_once == 4


def test_connections_are_kept_for_the_next_call(api: FakeApi) -> None:
    api.respond = lambda *_: (200, {"models": []})
    client = ApiClient(api.url)
    for _ in range(5):
        client.models()
    assert api.connections == 1


def test_a_problem_of_one_experiment_leaves_the_other_answers(api: FakeApi) -> None:
    def respond(_: str, __: str, query: dict[str, list[str]], ___: bytes) -> tuple[int, Any]:
        if query["experiment_name"] == ["gone"]:
            return 404, {"title": "Unknown experiment", "detail": "There is no such experiment."}
        return 200, answer("7")

    api.respond = respond
    gone, good = ApiClient(api.url).predict(b"", ["gone", "good"])
    assert gone.problem is not None
    assert (gone.problem.status, gone.problem.detail, good) == (
        404,
        "There is no such experiment.",
        Answer("good", prediction=Prediction("7", 0.9, {"7": 0.9, "0": 0.1})),
    )


@pytest.mark.parametrize("status", [413, 415, 422])
def test_an_image_that_cannot_be_used_is_refused_once_for_all(api: FakeApi, status: int) -> None:
    api.respond = lambda *_: (status, {"title": "Unusable", "detail": "It is empty."})
    with pytest.raises(ApiProblem) as caught:
        ApiClient(api.url).predict(b"", ["a", "b", "c"])
    assert (caught.value.status, caught.value.detail) == (status, "It is empty.")


def test_an_error_that_is_no_document_still_has_a_title(api: FakeApi) -> None:
    api.respond = lambda *_: (502, b"<html>Bad gateway</html>")
    with pytest.raises(ApiProblem) as caught:
        ApiClient(api.url).models()
    assert caught.value.title == "Bad Gateway"


@pytest.mark.parametrize("body", [b"", b"hello", b"[]", b"{}", b'{"models": [{"name": "a"}]}', b'{"models": 3}'])
def test_an_answer_against_the_contract_is_a_problem_and_not_a_crash(api: FakeApi, body: bytes) -> None:
    api.respond = lambda *_: (200, body)
    with pytest.raises(ApiProblem):
        ApiClient(api.url).models()


@pytest.mark.parametrize("body", [{}, {"class": "7"}, {"class": "7", "confidence": "high", "probabilities": {}}])
def test_a_prediction_against_the_contract_is_a_problem_in_the_answer(api: FakeApi, body: dict[str, Any]) -> None:
    api.respond = lambda *_: (200, body)
    [only] = ApiClient(api.url).predict(b"", ["a"])
    assert only.problem is not None


def test_a_refused_connection_is_unreachable(api: FakeApi) -> None:
    api.close()
    with pytest.raises(ApiUnreachable, match=api.url):
        ApiClient(api.url).predict(b"", ["a", "b"])


def test_an_answer_that_takes_too_long_is_unreachable(api: FakeApi) -> None:
    def respond(*_: Any) -> tuple[int, Any]:
        time.sleep(0.5)
        return 200, {}

    api.respond = respond
    with pytest.raises(ApiUnreachable):
        ApiClient(api.url, read_timeout_seconds=0.1).models()


def test_models_are_read_by_name(api: FakeApi) -> None:
    models = [
        {"name": "a", "version": 1, "state": "READY", "reason": None, "digest": "d"},
        {"name": "b", "version": 1, "state": "FAILED", "reason": "corrupt", "digest": None},
    ]
    api.respond = lambda *_: (200, {"models": models})
    found = ApiClient(api.url).models()
    assert {name: (model.state, model.reason) for name, model in found.items()} == {
        "a": ("READY", None),
        "b": ("FAILED", "corrupt"),
    }


@pytest.mark.parametrize("status", [200, 503])
def test_readiness_is_an_answer_also_while_the_api_is_not_ready(api: FakeApi, status: int) -> None:
    dependencies = {
        "models": {"status": "ok", "ready": 3, "failed": 1, "loading": 2},
        "database": {"status": "down", "detail": "refused"},
    }
    api.respond = lambda *_: (status, {"status": "degraded", "dependencies": dependencies})
    assert ApiClient(api.url).readiness() == Readiness("degraded", 3, 2, 1, "refused")
