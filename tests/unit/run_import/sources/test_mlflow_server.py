"""MLflow server: our own API over in-memory stores plays it."""

from collections.abc import Iterator
from typing import Any

import pytest
import requests
from starlette.applications import Starlette
from starlette.testclient import TestClient

from run_import.past_run import ImportRunsError
from run_import.sources import mlflow_server
from run_import.sources.mlflow_server import read_server
from tests.support.mlflow_stores import FakeStores

URL = "http://mlflow.test"
API = "/api/2.0/mlflow"


@pytest.fixture
def client(monkeypatch: pytest.MonkeyPatch) -> Iterator[TestClient]:
    """A client of the server to which requests go."""
    with TestClient(Starlette(routes=FakeStores().routes()), base_url=URL) as opened:

        def send(_: requests.Session, method: str, url: str, **arguments: Any) -> Any:
            arguments.pop("timeout")
            response = opened.request(method, url, **arguments)
            answer = requests.Response()
            answer.status_code, answer._content = response.status_code, response.content
            return answer

        monkeypatch.setattr(requests.Session, "request", send)
        yield opened


def start(client: TestClient, name: str, number: int) -> str:
    fields = {"run_name": name, "start_time": number, "experiment_id": "0"}
    run = client.post(f"{API}/runs/create", json=fields).json()["run"]
    return str(run["info"]["run_id"])


def test_read_server_returns_whole_curves(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(mlflow_server, "PAGE", 2)
    for number in range(3):
        run_id = start(client, f"r{number}", number + 1)
        metrics = [{"key": "loss", "value": 0.5, "timestamp": 9, "step": step} for step in (0, 1)]
        params = [{"key": "lr", "value": "0.1"}]
        fields = {"run_id": run_id, "metrics": metrics, "params": params}
        assert client.post(f"{API}/runs/log-batch", json=fields).is_success
    runs = list(read_server(f"{URL}/", None))
    assert [run.name for run in runs] == ["r0", "r1", "r2"]
    assert runs[0].metrics == {"loss": [(0, 9, 0.5), (1, 9, 0.5)]}
    assert (runs[0].params, runs[0].project, runs[0].started_ms) == ({"lr": "0.1"}, "Default", 1)
    assert len(list(read_server(URL, "Default"))) == 3


def test_read_server_tells_what_the_server_answers(client: TestClient) -> None:
    assert client
    with pytest.raises(ImportRunsError, match="answers 404: No project"):
        list(read_server(URL, "digits"))


def test_read_server_that_is_not_there_is_told() -> None:
    with pytest.raises(ImportRunsError, match="does not answer"):
        list(read_server("http://127.0.0.1:9", None))
