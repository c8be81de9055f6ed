"""HTTP client of the inference API, against a real server on a real socket."""

import json
import threading
import time
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from servicekit import json_logging
from web.data import api_client
from web.data.api_client import ApiClient
from web.data.api_types import (
    Answer,
    Answers,
    ApiProblemError,
    ApiUnreachableError,
    Prediction,
    Readiness,
    Registry,
)

# (method, path, query, body) -> status, document or raw bytes
Responder = Callable[[str, str, dict[str, list[str]], bytes], tuple[int, Any]]


class FakeApi:
    """Server with responses that the test sets. It counts connections."""

    def __init__(self) -> None:
        self.respond: Responder = lambda *_: (404, {"title": "Not Found", "detail": ""})
        self.connections = 0
        self.headers: list[dict[str, str]] = []
        fake = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def setup(self) -> None:
                fake.connections += 1
                super().setup()

            def log_message(self, *_: Any) -> None:
                """Keep the test output clean."""

            def _answer(self) -> None:
                url = urlsplit(self.path)
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                fake.headers.append(dict(self.headers))
                status, document = fake.respond(self.command, url.path, parse_qs(url.query), body)
                data = document if isinstance(document, bytes) else json.dumps(document).encode()
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


def answer(experiment: str, label: str = "7") -> dict[str, Any]:
    return {
        "experiment_name": experiment,
        "class": label,
        "confidence": 0.9,
        "probabilities": {label: 0.9, "0": 0.1},
    }


def document(*entries: dict[str, Any]) -> dict[str, Any]:
    return {
        "predictions": [{"index": index, **entry} for index, entry in enumerate(entries)],
        "milliseconds": 1.0,
    }


GONE = {
    "type": "urn:x",
    "title": "Unknown experiment",
    "status": 404,
    "detail": "There is no such experiment.",
}
BROKEN = {"type": "urn:x", "title": "Unreadable image", "status": 422, "detail": "It is cut short."}


def test_predict_is_one_request_for_all_images(api: FakeApi) -> None:
    seen: list[tuple[Any, ...]] = []

    def respond(
        method: str, path: str, query: dict[str, list[str]], body: bytes
    ) -> tuple[int, Any]:
        seen.append(
            (
                method,
                path,
                query,
                body.count(b'name="images"'),
                body.index(b"FIRST") < body.index(b"SECOND"),
            )
        )
        return 200, document({"answers": []}, {"answers": []})

    api.respond = respond
    ApiClient(api.url).predict([b"FIRST", b"SECOND"], ["a b&c", "d"])
    assert seen == [("POST", "/api/v1.0/predictions", {"experiments": ["a b&c", "d"]}, 2, True)]


def test_answers_keep_their_order(api: FakeApi) -> None:
    api.respond = lambda *_: (200, document({"answers": [answer("a", "1"), answer("b", "2")]}))
    [answers] = ApiClient(api.url).predict([b""], ["a", "b"])
    assert answers == [
        Answer("a", prediction=Prediction("1", 0.9, {"1": 0.9, "0": 0.1})),
        Answer("b", prediction=Prediction("2", 0.9, {"2": 0.9, "0": 0.1})),
    ]


def test_stored_prediction_has_its_id(api: FakeApi) -> None:
    api.respond = lambda *_: (
        200,
        document({"answers": [{**answer("a"), "prediction_id": "0198-7"}, answer("b")]}),
    )
    [answers] = ApiClient(api.url).predict([b""], ["a", "b"])
    assert isinstance(answers, list)
    ids = [one.prediction and one.prediction.prediction_id for one in answers]
    assert ids == ["0198-7", None]


def test_user_agent_names_the_dashboard(api: FakeApi) -> None:
    api.respond = lambda *_: (200, document({"answers": [answer("a")]}))
    ApiClient(api.url).predict([b""], ["a"])
    assert [headers["User-Agent"] for headers in api.headers] == ["mlops-dashboard"]


def test_large_images_are_split_into_requests(
    api: FakeApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("web.data.api_client.MAX_REQUEST_BYTES", 10)
    sizes: list[int] = []

    def respond(_: str, __: str, ___: dict[str, list[str]], body: bytes) -> tuple[int, Any]:
        images = body.count(b'name="images"')
        sizes.append(images)
        return 200, document(*[{"answers": [answer("a", str(body.count(b"x")))]}] * images)

    api.respond = respond
    results = ApiClient(api.url).predict([b"x" * size for size in (4, 6, 1, 20, 3)], ["a"])
    assert (sizes, len(results)) == ([2, 1, 1, 1], 5)


def test_predict_without_images_sends_nothing(api: FakeApi) -> None:
    assert (ApiClient(api.url).predict([], ["a"]), api.connections) == ([], 0)


def test_connection_is_reused(api: FakeApi) -> None:
    api.respond = lambda *_: (200, {"models": []})
    client = ApiClient(api.url)
    for _ in range(5):
        client.models()
    assert api.connections == 1


def test_problem_of_one_model_keeps_other_answers(api: FakeApi) -> None:
    api.respond = lambda *_: (
        200,
        document({"answers": [{"experiment_name": "gone", "problem": GONE}, answer("good")]}),
    )
    [result] = ApiClient(api.url).predict([b""], ["gone", "good"])
    assert isinstance(result, list)
    gone, good = result
    assert gone.problem is not None
    assert (gone.experiment, gone.problem.status, gone.problem.detail, good) == (
        "gone",
        404,
        "There is no such experiment.",
        Answer("good", prediction=Prediction("7", 0.9, {"7": 0.9, "0": 0.1})),
    )


def test_problem_of_one_image_keeps_the_others(api: FakeApi) -> None:
    api.respond = lambda *_: (200, document({"answers": [answer("a")]}, {"problem": BROKEN}))
    good, bad = ApiClient(api.url).predict([b"", b""], ["a"])
    assert isinstance(bad, ApiProblemError)
    assert (bad.status, bad.detail, isinstance(good, list)) == (422, "It is cut short.", True)


def test_failed_request_is_a_problem_of_every_model(api: FakeApi) -> None:
    api.respond = lambda *_: (404, GONE)
    [result] = ApiClient(api.url).predict([b""], ["a", "b"])
    assert isinstance(result, list)
    assert [(one.experiment, one.problem and one.problem.status) for one in result] == [
        ("a", 404),
        ("b", 404),
    ]


@pytest.mark.parametrize("status", [413, 415, 422])
def test_rejected_images_are_a_problem_of_each_image(api: FakeApi, status: int) -> None:
    api.respond = lambda *_: (status, {"title": "Unusable", "detail": "It is empty."})
    results = ApiClient(api.url).predict([b"", b""], ["a", "b", "c"])
    assert [
        isinstance(result, ApiProblemError) and (result.status, result.detail) for result in results
    ] == [(status, "It is empty.")] * 2


def test_error_without_document_has_a_title(api: FakeApi) -> None:
    api.respond = lambda *_: (502, b"<html>Bad gateway</html>")
    with pytest.raises(ApiProblemError) as caught:
        ApiClient(api.url).models()
    assert caught.value.title == "Bad Gateway"


@pytest.mark.parametrize(
    "body", [b"", b"hello", b"[]", b"{}", b'{"models": [{"name": "a"}]}', b'{"models": 3}']
)
def test_unexpected_document_is_a_problem(api: FakeApi, body: bytes) -> None:
    api.respond = lambda *_: (200, body)
    with pytest.raises(ApiProblemError):
        ApiClient(api.url).models()


@pytest.mark.parametrize(
    "body",
    [
        b"hello",
        {},
        {"predictions": 7},
        {"predictions": []},
        {"predictions": [7]},
        {"predictions": [{}]},
        {"predictions": [{"problem": "bad"}]},
        document({"answers": [{"experiment_name": "a"}]}),
        document({"answers": [{**answer("a"), "confidence": "high"}]}),
        document({"answers": [answer("a")]}, {"answers": [answer("a")]}),
    ],
)
def test_unexpected_prediction_is_a_problem_in_the_answer(api: FakeApi, body: Any) -> None:
    api.respond = lambda *_: (200, body)
    [result] = ApiClient(api.url).predict([b""], ["a"])
    assert isinstance(result, list)
    assert [answer.problem is not None for answer in result] == [True]


def test_refused_connection_is_unreachable(api: FakeApi) -> None:
    api.close()
    with pytest.raises(ApiUnreachableError, match=api.url):
        ApiClient(api.url).predict([b""], ["a", "b"])


def test_timeout_is_unreachable(api: FakeApi) -> None:
    def respond(*_: Any) -> tuple[int, Any]:
        time.sleep(0.5)
        return 200, {}

    api.respond = respond
    with pytest.raises(ApiUnreachableError):
        ApiClient(api.url, read_timeout_seconds=0.1).models()


def test_models_are_by_name(api: FakeApi) -> None:
    shared = {"task": "digits", "classes": ["0", "1"]}
    models = [
        {
            **shared,
            "name": "a",
            "version": 1,
            "default": True,
            "state": "READY",
            "reason": None,
            "digest": "d",
        },
        {
            **shared,
            "name": "b",
            "version": 1,
            "default": True,
            "state": "FAILED",
            "reason": "corrupt",
            "digest": None,
        },
        {
            **shared,
            "name": "b",
            "version": 2,
            "default": False,
            "state": "LOADING",
            "reason": None,
            "digest": None,
        },
    ]
    api.respond = lambda *_: (200, {"models": models})
    found = ApiClient(api.url).models()
    assert {name: (model.state, model.reason) for name, model in found.items()} == {
        "a": ("READY", None),
        "b": ("FAILED", "corrupt"),
    }


@pytest.mark.parametrize("status", [200, 503])
def test_readiness_accepts_status_503(api: FakeApi, status: int) -> None:
    dependencies = {
        "models": {"status": "ok", "ready": 3, "failed": 1, "loading": 2},
        "database": {"status": "down", "detail": "refused"},
    }
    api.respond = lambda *_: (status, {"status": "degraded", "dependencies": dependencies})
    assert ApiClient(api.url).readiness() == Readiness("degraded", 3, 2, 1, "refused")


def test_readiness_of_an_api_that_drains_has_no_models(api: FakeApi) -> None:
    api.respond = lambda *_: (503, {"status": "draining"})
    assert ApiClient(api.url).readiness() == Readiness("draining", 0, 0, 0, None)


def readiness_with(api: FakeApi, **dependencies: dict[str, Any]) -> tuple[Any, ...]:
    models = {"status": "ok", "ready": 3, "failed": 0, "loading": 0}
    document = {
        "status": "degraded",
        "dependencies": {"models": models, "database": {"status": "ok"}, **dependencies},
    }
    api.respond = lambda *_: (200, document)
    found = ApiClient(api.url).readiness()
    return found.log_fault, found.log_detail, found.keys_detail, found.registry


@pytest.mark.parametrize("status", ["ok", "off"])
def test_readiness_of_a_sound_log_and_keys_has_no_fault(api: FakeApi, status: str) -> None:
    none = (None, None, None, None)
    assert readiness_with(api) == none
    assert readiness_with(api, log={"status": status}, api_keys={"status": "ok"}) == none


def test_readiness_has_the_faults_of_log_and_keys(api: FakeApi) -> None:
    keys = {"status": "failing", "detail": "bad line"}
    waiting = {"status": "waiting", "detail": "90 s"}
    assert readiness_with(api, log=waiting, api_keys=keys) == (
        "waiting",
        "90 s",
        "bad line",
        None,
    )
    assert readiness_with(api, log={"status": "full"}) == ("full", None, None, None)


def test_readiness_has_the_state_of_a_registry(api: FakeApi) -> None:
    assert readiness_with(api, registry={"status": "starting"})[-1] == Registry(
        "starting", None, 0, 0
    )
    away = {"status": "failing", "detail": "no answer", "versions": 4, "refused": 1}
    assert readiness_with(api, registry=away)[-1] == Registry("failing", "no answer", 4, 1)


def test_number_of_images_per_request_is_limited(
    api: FakeApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = []

    def respond(
        _method: str, _path: str, _query: dict[str, list[str]], body: bytes
    ) -> tuple[int, Any]:
        sizes.append(body.count(b'name="images"'))
        return 200, {"predictions": [{"answers": []} for _ in range(sizes[-1])]}

    api.respond = respond
    monkeypatch.setattr(api_client, "MAX_REQUEST_ANSWERS", 6)
    assert len(ApiClient(api.url).predict([b"x"] * 5, ["a", "b"])) == 5
    assert sizes == [3, 2]


def test_view_is_requested_and_decoded(api: FakeApi) -> None:
    api.respond = lambda _method, _path, query, _body: (
        200,
        {"predictions": [{"answers": [], "view": "cG5n"}] if query["view"] == ["true"] else []},
    )
    [result] = ApiClient(api.url).predict([b"x"], ["a"], view=True)
    assert isinstance(result, Answers)
    assert result.view == b"png"


def test_api_key_is_sent_only_if_set(api: FakeApi) -> None:
    api.respond = lambda *_: (200, {"models": []})
    ApiClient(api.url, key="k").versions()
    ApiClient(api.url).versions()
    assert [headers.get("X-API-Key") for headers in api.headers] == ["k", None]


def test_failed_request_is_logged_with_its_id(
    api: FakeApi, caplog: pytest.LogCaptureFixture
) -> None:
    api.respond = lambda *_: (500, {"title": "Internal Server Error", "detail": ""})
    with pytest.raises(ApiProblemError):
        ApiClient(api.url).models()
    [line] = [json.loads(json_logging.JsonFormatter().format(record)) for record in caplog.records]
    sent = {name.lower(): value for name, value in api.headers[-1].items()}["x-request-id"]
    assert (line["request_id"], line["event"]) == (
        sent,
        "GET /models returned an unusable response with status 500.",
    )


def test_unlogged_prediction_says_so(api: FakeApi) -> None:
    queries: list[dict[str, list[str]]] = []

    def respond(_method: str, _path: str, query: dict[str, list[str]], _: bytes) -> tuple[int, Any]:
        queries.append(query)
        return 200, document({"answers": [answer("a")]})

    api.respond = respond
    ApiClient(api.url).predict([b"x"], ["a"], log=False)
    ApiClient(api.url).predict([b"x"], ["a"])
    assert [query.get("log") for query in queries] == [["false"], None]


def test_image_is_fetched_by_its_digest(api: FakeApi) -> None:
    paths: list[str] = []

    def respond(_method: str, path: str, _query: dict[str, list[str]], _: bytes) -> tuple[int, Any]:
        paths.append(path)
        return 200, b"png"

    api.respond = respond
    assert ApiClient(api.url).image("a/b") == b"png"
    assert paths == ["/api/v1.0/images/a%2Fb"]


def test_missing_image_is_none(api: FakeApi) -> None:
    assert ApiClient(api.url).image("a") is None


def test_image_of_an_api_without_storage_is_a_problem(api: FakeApi) -> None:
    api.respond = lambda *_: (503, {"title": "Unavailable", "detail": ""})
    with pytest.raises(ApiProblemError) as raised:
        ApiClient(api.url).image("a")
    assert raised.value.status == 503
