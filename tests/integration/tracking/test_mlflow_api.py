"""MLflow's API over the storage in Postgres."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from tests.integration.tracking.conftest import Query
from tracking.mlflow.routes import routes
from tracking.storage.stores import Stores

API = "/api/2.0/mlflow"
FILES = "/api/2.0/mlflow-artifacts/artifacts"


@pytest.fixture
def client(stores: Stores) -> Iterator[TestClient]:
    with TestClient(Starlette(routes=routes(stores))) as opened:
        yield opened


def post(client: TestClient, path: str, **fields: Any) -> Any:
    response = client.post(f"{API}/{path}", json=fields)
    assert response.status_code == 200, response.text
    return response.json()


def start(client: TestClient, name: str, **fields: Any) -> str:
    fields = {"start_time": 1_000, **fields}
    return str(post(client, "runs/create", run_name=name, **fields)["run"]["info"]["run_id"])


def log(client: TestClient, run_id: str, loss: float, lr: str) -> None:
    metrics = [{"key": "loss", "value": loss, "timestamp": 1, "step": 1}]
    params = [{"key": "lr", "value": lr}]
    tags = [{"key": "set", "value": "Digits"}]
    post(client, "runs/log-batch", run_id=run_id, metrics=metrics, params=params, tags=tags)


def found(client: TestClient, text: str, **fields: Any) -> list[str]:
    answer = post(client, "runs/search", experiment_ids=["0"], filter=text, **fields)
    return [run["info"]["run_name"] for run in answer["runs"]]


def test_search_finds_what_was_logged(client: TestClient) -> None:
    for number, name in enumerate(("a", "b", "c")):
        run_id = start(client, name, start_time=1_000 + number)
        log(client, run_id, loss=number / 10, lr=f"0.{number}")
    post(client, "runs/update", run_id=run_id, status="FINISHED")
    assert found(client, "") == ["c", "b", "a"]
    assert found(client, "metrics.loss > 0.05 AND params.lr = '0.1'") == ["b"]
    assert found(client, "tags.set ILIKE 'digit%'", order_by=["metrics.loss ASC"]) == [
        "a",
        "b",
        "c",
    ]
    assert found(client, "tags.set LIKE 'digit%'") == []
    assert found(client, "attributes.status = 'FINISHED'") == ["c"]
    assert found(client, "attributes.start_time < 1002 AND run_name != 'a'") == ["b"]
    assert found(client, "tags.mlflow.runName = 'a'") == ["a"]
    assert found(client, "params.other IS NULL AND params.lr IS NOT NULL") == ["c", "b", "a"]
    assert found(client, "tags.`x' OR '1'='1` = 'y'' OR 1=1 --'") == []


def test_history_of_csv_row_is_its_curve(client: TestClient, sql: Query) -> None:
    sql("INSERT INTO experiments (name, metrics, source_file, source_line, content_digest,"
        " created_at) VALUES ('csv', '{\"test_accuracy\": 0.98}', 'data.csv', 2, '',"
        " 'epoch'::timestamptz + interval '7 s')")  # fmt: skip
    sql("INSERT INTO metric_curves (experiment_id, metric, steps, metric_values, best_value,"
        " best_step) SELECT id, metric, steps::bigint[], metric_values::float[], 0.25, 200"
        " FROM experiments, (VALUES ('loss', '{100,200,300}', '{0.5,0.25,NaN}'),"
        " ('validation_loss', '{200}', '{0.5}')) AS c (metric, steps, metric_values)")  # fmt: skip
    [run] = post(client, "runs/search", experiment_ids=["0"])["runs"]
    last = {one["key"]: (one["step"], one["value"]) for one in run["data"]["metrics"]}
    assert last == {"loss": (300, "NaN"), "validation_loss": (200, 0.5), "test_accuracy": (0, 0.98)}

    def history(metric: str, **fields: str) -> Any:
        query = {"run_id": run["info"]["run_id"], "metric_key": metric, **fields}
        return client.get(f"{API}/metrics/get-history", params=query).json()

    first = history("loss", max_results="2")
    rest = history("loss", max_results="2", page_token=first["next_page_token"])
    assert history("loss") == {"metrics": first["metrics"] + rest["metrics"]}
    points = [tuple(point.values()) for point in history("loss")["metrics"]]
    assert points == [
        ("loss", 0.5, 7_000, 100),
        ("loss", 0.25, 7_000, 200),
        ("loss", "NaN", 7_000, 300),
    ]
    assert [one["step"] for one in history("val_loss")["metrics"]] == [200]
    [only] = history("test_accuracy")["metrics"]
    assert (only["step"], only["value"], only["timestamp"]) == (0, 0.98, 7_000)
    assert history("none") == {"metrics": []}
    assert found(client, "metrics.validation_loss < 0.6 AND metrics.test_accuracy > 0.9") == ["csv"]
    assert found(client, "metrics.validation_loss < 0.5") == []


def test_search_shows_rows_of_csv(client: TestClient, sql: Query) -> None:
    sql("INSERT INTO experiments (name, learning_rate, momentum, params, metrics, source_file,"
        " source_line, content_digest) VALUES ('csv', 0.5, 0.9, %s, %s, 'data.csv', 2, '')",
        '{"epochs": 3}', '{"test_accuracy": 0.98}')  # fmt: skip
    [run] = post(client, "runs/search", experiment_ids=["0"])["runs"]
    params = {param["key"]: param["value"] for param in run["data"]["params"]}
    assert params == {"epochs": "3", "learning_rate": "0.5", "momentum": "0.9"}
    assert run["data"]["metrics"][0]["value"] == 0.98
    assert found(client, "metrics.test_accuracy > 0.9 AND params.learning_rate = '0.5'") == ["csv"]
    assert found(client, "params.epochs = '4'") == []
    assert found(client, "metrics.loss > 0") == []
    assert post(client, "runs/search", experiment_ids=["1"]) == {"runs": []}
    post(client, "runs/delete", run_id=run["info"]["run_id"])
    assert found(client, "") == []
    assert found(client, "", run_view_type="DELETED_ONLY") == ["csv"]


def test_keras_parameters_become_rates(client: TestClient, sql: Query) -> None:
    given = {"optimizer_name": "SGD", "optimizer_learning_rate": "0.009999999776482582"}
    params = [{"key": key, "value": value} for key, value in given.items()]
    post(client, "runs/log-batch", run_id=start(client, "a"), params=params)
    assert sql("SELECT learning_rate, momentum FROM experiments") == [(0.01, 0.0)]


def test_uploads_fail_no_training(client: TestClient, sql: Query) -> None:
    root = f"{FILES}/0/{start(client, 'a')}/artifacts"
    for number in range(210):
        assert client.put(f"{root}/checkpoints/{number}.h5", content=b"x").status_code == 200
    assert client.put(f"{root}/a.txt", content=b"hi").status_code == 200
    assert client.get(f"{root}/a.txt").content == b"hi"
    assert client.put(f"{root}/a.txt", content=b"\0").status_code == 200
    assert client.get(f"{root}/a.txt").content == b"hi"
    assert sql("SELECT count(*), count(url) FROM run_artifacts") == [(201, 1)]


def test_logged_model_belongs_to_its_run(client: TestClient, sql: Query) -> None:
    run_id = start(client, "a")
    fields = {"name": "model", "source_run_id": run_id, "params": [{"key": "C", "value": "1"}]}
    info = post(client, "logged-models", **fields)["model"]["info"]
    path = f"{API}/logged-models/{info['model_id']}"
    assert client.post(f"{path}/params", json={"params": [{"key": "D", "value": "2"}]}).is_success
    assert client.patch(path, json={"status": "LOGGED_MODEL_READY"}).is_success
    upload = f"{FILES}/0/models/{info['model_id']}/artifacts/data/model.keras"
    assert client.put(upload, content=b"x" * 5_000).json() == {}
    model = client.get(path).json()["model"]
    assert [param["key"] for param in model["data"]["params"]] == ["C", "D"]
    assert model["info"]["status"] == "LOGGED_MODEL_READY"
    query = {"experiment_ids": ["0"], "filter": f"name = 'model' AND source_run_id = '{run_id}'"}
    assert post(client, "logged-models/search", **query)["models"] == [model]
    assert sql("SELECT path, bytes FROM run_artifacts") == [
        (f"models/{info['model_id']}/data/model.keras", 5_000)
    ]
    response = client.post(f"{API}/logged-models", json={"source_run_id": "0" * 32})
    assert response.status_code == 404
