"""Commands: what they ask the API for, and what they print."""

import json
import threading
from collections.abc import Iterator, Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from pipeline.__main__ import main

RUN = {
    "run_id": 7,
    "kind": "retrain",
    "task": "mnist",
    "experiment_name": "lenet5",
    "state": "RUNNING",
    "reason": None,
    "created_at": "2026-03-02T12:00:00Z",
    "trigger": "manual",
    "requested_by": "ann",
    "verdict": None,
    "gain": None,
    "steps": [
        {"name": "ingest", "state": "SUCCEEDED", "seconds": 2.0, "progress": None},
        {"name": "train", "state": "RUNNING", "seconds": 8.2, "progress": {"epoch": 3}},
    ],
}
REFUSED = {
    **RUN,
    "run_id": 6,
    "state": "SUCCEEDED",
    "verdict": "REFUSE",
    "gain": 0.0012,
    "reason": "Refused: p = .018, asked for .01.",
    "steps": [],
}


class FakeApi(ThreadingHTTPServer):
    """API with fixed answers by method and path, which keeps the requests."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers: dict[str, tuple[int, Mapping[str, Any]]] = {}
        self.requests: list[tuple[str, Any, str | None]] = []


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self._answer(None)

    def do_POST(self) -> None:
        self._answer(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))

    def _answer(self, body: object) -> None:
        assert isinstance(self.server, FakeApi)
        request = f"{self.command} {self.path}"
        self.server.requests.append((request, body, self.headers.get("X-API-Key")))
        status, answer = self.server.answers[request]
        content = json.dumps(answer).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, *_: object) -> None:
        """Write no log."""


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeApi]:
    server = FakeApi()
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    monkeypatch.setenv("API_URL", f"http://127.0.0.1:{server.server_address[1]}/api")
    monkeypatch.setenv("API_KEY", "a-key")
    monkeypatch.setenv("USER", "ann")
    monkeypatch.setenv("LOGNAME", "ann")
    yield server
    server.shutdown()
    thread.join()
    server.server_close()


def test_retrain_trains_the_champion_again(
    api: FakeApi, capsys: pytest.CaptureFixture[str]
) -> None:
    api.answers = {
        "GET /api/aliases/mnist/champion": (200, {"experiment_name": "lenet5"}),
        "POST /api/retrain": (202, {"run_id": 7, "joined": False, "no_worker": None}),
    }
    assert main(["retrain", "--seeds", "5"]) == 0
    assert api.requests[-1] == (
        "POST /api/retrain",
        {
            "task": "mnist",
            "experiment_name": "lenet5",
            "trigger": "manual",
            "by": "ann",
            "reason": "make retrain",
            "seeds": 5,
        },
        "a-key",
    )
    assert capsys.readouterr().out == "Run 7 trains lenet5. See it with: make runs\n"


def test_retrain_says_that_it_joined_and_that_no_worker_runs(
    api: FakeApi, capsys: pytest.CaptureFixture[str]
) -> None:
    api.answers["POST /api/retrain"] = (
        202,
        {"run_id": 7, "joined": True, "state": "QUEUED", "no_worker": "Start one: make worker"},
    )
    assert main(["retrain", "--experiment", "mlp", "--task", "parity"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "Task parity has an open run already: run 7, QUEUED.",
        "Start one: make worker",
    ]


def test_runs_prints_a_line_per_run_with_its_step_or_reason(
    api: FakeApi, capsys: pytest.CaptureFixture[str]
) -> None:
    api.answers["GET /api/runs?limit=20"] = (200, {"runs": [RUN, REFUSED], "no_worker": None})
    assert main(["runs"]) == 0
    assert capsys.readouterr().out.splitlines() == [
        "run 7  2026-03-02 12:00  RUNNING    retrain  lenet5                        manual by ann",
        "      train: 8 s, epoch 3",
        "run 6  2026-03-02 12:00  SUCCEEDED  retrain  lenet5  REFUSE  +0.12 points  manual by ann",
        "      Refused: p = .018, asked for .01.",
    ]


def test_runs_without_any_says_how_to_start_one(
    api: FakeApi, capsys: pytest.CaptureFixture[str]
) -> None:
    api.answers["GET /api/runs?limit=20"] = (200, {"runs": [], "no_worker": None})
    assert main(["runs"]) == 0
    assert capsys.readouterr().out == "No runs yet. Start one: make retrain\n"


def test_rollback_names_both_versions(api: FakeApi, capsys: pytest.CaptureFixture[str]) -> None:
    move = {
        "experiment_name": "mlp",
        "version": 1,
        "from_experiment_name": "lenet5",
        "from_version": 2,
    }
    api.answers["POST /api/aliases/mnist/champion/rollback"] = (200, move)
    assert main(["rollback", "--reason", "misreads 7"]) == 0
    assert api.requests[-1][1] == {"moved_by": "ann", "reason": "misreads 7"}
    assert capsys.readouterr().out == (
        "The champion of mnist is mlp, version 1, again. Before: lenet5, version 2.\n"
    )


def test_problem_of_the_api_is_printed(api: FakeApi, capsys: pytest.CaptureFixture[str]) -> None:
    api.answers["POST /api/retrain"] = (404, {"title": "Unknown", "detail": "No such recipe."})
    assert main(["retrain", "--experiment", "none"]) == 1
    assert capsys.readouterr().err == "Not done: No such recipe.\n"


def test_absent_api_says_what_to_do(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("API_URL", "http://127.0.0.1:9/api")
    assert main(["runs"]) == 1
    assert "Start the stack (make up), or set API_URL." in capsys.readouterr().err


def test_address_that_is_no_url_is_refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("API_URL", "file:///etc/passwd")
    assert main(["runs"]) == 1
    assert "must begin with http:// or https://" in capsys.readouterr().err
