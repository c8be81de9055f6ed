"""The client of the API, against a real server on a real socket."""

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
from web.data.api_client import (
    Answer,
    ApiClient,
    ApiProblemError,
    ApiUnreachableError,
    Prediction,
    Readiness,
)

# (method, path, query, body) -> status, document or raw bytes
Responder = Callable[[str, str, dict[str, list[str]], bytes], tuple[int, Any]]


class FakeApi:
    """A server that answers as the test says, and counts."""

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
                """Say nothing."""

            def _answer(self) -> None:
                url = urlsplit(self.path)
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                fake.headers.append(dict(self.headers))
                status, said = fake.respond(self.command, url.path, parse_qs(url.query), body)
                data = said if isinstance(said, bytes) else json.dumps(said).encode()
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


def entries(*each: dict[str, Any]) -> dict[str, Any]:
    return {
        "predictions": [{"index": index, **entry} for index, entry in enumerate(each)],
        "milliseconds": 1.0,
    }


GONE = {
    "type": "urn:x",
    "title": "Unknown experiment",
    "status": 404,
    "detail": "There is no such experiment.",
}
BROKEN = {"type": "urn:x", "title": "Unreadable image", "status": 422, "detail": "It is cut short."}


def test_a_prediction_is_one_call_with_every_image_and_every_experiment(api: FakeApi) -> None:
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
        return 200, entries({"answers": []}, {"answers": []})

    api.respond = respond
    ApiClient(api.url).predict([b"FIRST", b"SECOND"], ["a b&c", "d"])
    assert seen == [("POST", "/api/v1.0/predictions", {"experiments": ["a b&c", "d"]}, 2, True)]


def test_the_answers_of_an_image_stand_in_their_order(api: FakeApi) -> None:
    api.respond = lambda *_: (200, entries({"answers": [answer("a", "1"), answer("b", "2")]}))
    [answers] = ApiClient(api.url).predict([b""], ["a", "b"])
    assert answers == [
        Answer("a", prediction=Prediction("1", 0.9, {"1": 0.9, "0": 0.1})),
        Answer("b", prediction=Prediction("2", 0.9, {"2": 0.9, "0": 0.1})),
    ]


def test_a_prediction_that_is_kept_has_its_id(api: FakeApi) -> None:
    api.respond = lambda *_: (
        200,
        entries({"answers": [{**answer("a"), "prediction_id": "0198-7"}, answer("b")]}),
    )
    [answers] = ApiClient(api.url).predict([b""], ["a", "b"])
    assert isinstance(answers, list)
    ids = [each.prediction and each.prediction.prediction_id for each in answers]
    assert ids == ["0198-7", None]


def test_the_dashboard_says_who_asks(api: FakeApi) -> None:
    api.respond = lambda *_: (200, entries({"answers": [answer("a")]}))
    ApiClient(api.url).predict([b""], ["a"])
    assert [headers["User-Agent"] for headers in api.headers] == ["mlops-dashboard"]


def test_images_that_are_too_much_for_one_call_are_several(
    api: FakeApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("web.data.api_client.MAX_CALL_BYTES", 10)
    sizes: list[int] = []

    def respond(_: str, __: str, ___: dict[str, list[str]], body: bytes) -> tuple[int, Any]:
        images = body.count(b'name="images"')
        sizes.append(images)
        return 200, entries(*[{"answers": [answer("a", str(body.count(b"x")))]}] * images)

    api.respond = respond
    outcomes = ApiClient(api.url).predict([b"x" * size for size in (4, 6, 1, 20, 3)], ["a"])
    assert (sizes, len(outcomes)) == ([2, 1, 1, 1], 5)


def test_no_image_is_no_call(api: FakeApi) -> None:
    assert (ApiClient(api.url).predict([], ["a"]), api.connections) == ([], 0)


def test_connections_are_kept_for_the_next_call(api: FakeApi) -> None:
    api.respond = lambda *_: (200, {"models": []})
    client = ApiClient(api.url)
    for _ in range(5):
        client.models()
    assert api.connections == 1


def test_a_problem_of_one_experiment_leaves_the_other_answers(api: FakeApi) -> None:
    api.respond = lambda *_: (
        200,
        entries({"answers": [{"experiment_name": "gone", "problem": GONE}, answer("good")]}),
    )
    [outcome] = ApiClient(api.url).predict([b""], ["gone", "good"])
    assert isinstance(outcome, list)
    gone, good = outcome
    assert gone.problem is not None
    assert (gone.experiment, gone.problem.status, gone.problem.detail, good) == (
        "gone",
        404,
        "There is no such experiment.",
        Answer("good", prediction=Prediction("7", 0.9, {"7": 0.9, "0": 0.1})),
    )


def test_a_problem_of_one_image_leaves_the_others(api: FakeApi) -> None:
    api.respond = lambda *_: (200, entries({"answers": [answer("a")]}, {"problem": BROKEN}))
    good, bad = ApiClient(api.url).predict([b"", b""], ["a"])
    assert isinstance(bad, ApiProblemError)
    assert (bad.status, bad.detail, isinstance(good, list)) == (422, "It is cut short.", True)


def test_a_call_in_which_nobody_can_answer_is_the_problem_of_every_experiment(api: FakeApi) -> None:
    api.respond = lambda *_: (404, GONE)
    [outcome] = ApiClient(api.url).predict([b""], ["a", "b"])
    assert isinstance(outcome, list)
    assert [(each.experiment, each.problem and each.problem.status) for each in outcome] == [
        ("a", 404),
        ("b", 404),
    ]


@pytest.mark.parametrize("status", [413, 415, 422])
def test_a_call_that_is_refused_for_its_images_is_the_problem_of_each(
    api: FakeApi, status: int
) -> None:
    api.respond = lambda *_: (status, {"title": "Unusable", "detail": "It is empty."})
    outcomes = ApiClient(api.url).predict([b"", b""], ["a", "b", "c"])
    assert [
        isinstance(outcome, ApiProblemError) and (outcome.status, outcome.detail)
        for outcome in outcomes
    ] == [(status, "It is empty.")] * 2


def test_an_error_that_is_no_document_still_has_a_title(api: FakeApi) -> None:
    api.respond = lambda *_: (502, b"<html>Bad gateway</html>")
    with pytest.raises(ApiProblemError) as caught:
        ApiClient(api.url).models()
    assert caught.value.title == "Bad Gateway"


@pytest.mark.parametrize(
    "body", [b"", b"hello", b"[]", b"{}", b'{"models": [{"name": "a"}]}', b'{"models": 3}']
)
def test_an_answer_against_the_contract_is_a_problem_and_not_a_crash(
    api: FakeApi, body: bytes
) -> None:
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
        entries({"answers": [{"experiment_name": "a"}]}),
        entries({"answers": [{**answer("a"), "confidence": "high"}]}),
        entries({"answers": [answer("a")]}, {"answers": [answer("a")]}),
    ],
)
def test_a_prediction_against_the_contract_is_a_problem_in_the_answer(
    api: FakeApi, body: Any
) -> None:
    api.respond = lambda *_: (200, body)
    [outcome] = ApiClient(api.url).predict([b""], ["a"])
    assert isinstance(outcome, list)
    assert [answer.problem is not None for answer in outcome] == [True]


def test_a_refused_connection_is_unreachable(api: FakeApi) -> None:
    api.close()
    with pytest.raises(ApiUnreachableError, match=api.url):
        ApiClient(api.url).predict([b""], ["a", "b"])


def test_an_answer_that_takes_too_long_is_unreachable(api: FakeApi) -> None:
    def respond(*_: Any) -> tuple[int, Any]:
        time.sleep(0.5)
        return 200, {}

    api.respond = respond
    with pytest.raises(ApiUnreachableError):
        ApiClient(api.url, read_timeout_seconds=0.1).models()


def test_models_are_read_by_name(api: FakeApi) -> None:
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
def test_readiness_is_an_answer_also_while_the_api_is_not_ready(api: FakeApi, status: int) -> None:
    dependencies = {
        "models": {"status": "ok", "ready": 3, "failed": 1, "loading": 2},
        "database": {"status": "down", "detail": "refused"},
    }
    api.respond = lambda *_: (status, {"status": "degraded", "dependencies": dependencies})
    assert ApiClient(api.url).readiness() == Readiness("degraded", 3, 2, 1, "refused")


def test_a_call_carries_no_more_images_than_the_api_takes(
    api: FakeApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes = []

    def respond(
        _method: str, _path: str, _query: dict[str, list[str]], body: bytes
    ) -> tuple[int, Any]:
        sizes.append(body.count(b'name="images"'))
        return 200, {"predictions": [{"answers": []} for _ in range(sizes[-1])]}

    api.respond = respond
    monkeypatch.setattr(api_client, "MAX_CALL_ANSWERS", 6)
    assert len(ApiClient(api.url).predict([b"x"] * 5, ["a", "b"])) == 5
    assert sizes == [3, 2]


def test_what_the_models_see_is_asked_for_and_read(api: FakeApi) -> None:
    api.respond = lambda _method, _path, query, _body: (
        200,
        {"predictions": [{"answers": [], "view": "cG5n"}] if query["view"] == ["true"] else []},
    )
    [outcome] = ApiClient(api.url).predict([b"x"], ["a"], view=True)
    assert isinstance(outcome, api_client.Answers)
    assert outcome.view == b"png"


def test_the_key_of_the_api_goes_with_every_call_and_without_one_nothing_does(api: FakeApi) -> None:
    api.respond = lambda *_: (200, {"models": []})
    ApiClient(api.url, key="k").versions()
    ApiClient(api.url).versions()
    assert [headers.get("X-API-Key") for headers in api.headers] == ["k", None]


def test_a_call_that_fails_is_logged_with_the_id_that_the_api_was_told(
    api: FakeApi, caplog: pytest.LogCaptureFixture
) -> None:
    api.respond = lambda *_: (500, {"title": "Internal Server Error", "detail": ""})
    with pytest.raises(ApiProblemError):
        ApiClient(api.url).models()
    [line] = [json.loads(json_logging.JsonFormatter().format(record)) for record in caplog.records]
    told = {name.lower(): value for name, value in api.headers[-1].items()}["x-request-id"]
    assert (line["request_id"], line["event"]) == (
        told,
        "GET /models was answered with 500 and cannot be used.",
    )
