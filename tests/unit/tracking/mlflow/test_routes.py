"""MLflow's API over in-memory stores: documents, errors and paging."""

import math
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.testclient import TestClient

from tests.support.mlflow_stores import NOW, FakeStores, csv_row
from tracking.runs import Condition, Order

API = "/api/2.0/mlflow"
FILES = "/api/2.0/mlflow-artifacts/artifacts"
START = 1795794892929


@pytest.fixture
def stores() -> FakeStores:
    return FakeStores()


@pytest.fixture
def client(stores: FakeStores) -> Iterator[TestClient]:
    with TestClient(Starlette(routes=stores.routes())) as opened:
        yield opened


def post(client: TestClient, path: str, **fields: Any) -> Any:
    response = client.post(f"{API}/{path}", json=fields)
    return {**response.json(), "status_code": response.status_code}


def start(client: TestClient, name: str = "lenet", start_time: int = START, **fields: Any) -> str:
    created = post(client, "runs/create", run_name=name, start_time=start_time, **fields)
    return str(created["run"]["info"]["run_id"])


def get_run(client: TestClient, run_id: str) -> Any:
    return client.get(f"{API}/runs/get", params={"run_id": run_id}).json()["run"]


def tags(run: Any) -> dict[str, str]:
    return {tag["key"]: tag["value"] for tag in run["data"]["tags"]}


def test_create_repeated_request_returns_same_run(client: TestClient) -> None:
    assert start(client) == start(client)
    assert len({start(client), start(client, start_time=START + 1), start(client, "other")}) == 3


def test_create_name_becomes_valid(client: TestClient, stores: FakeStores) -> None:
    start(client, "LeNet, 5 épochs/ß")
    start(client, "", start_time=START)
    start(client, "…", start_time=0)
    names = [new.name for new in stores.runs.created]
    assert names == ["LeNet__5__pochs__", "run_20261127_155452", "run_19700101_000000"]


def test_create_note_and_user_are_fields(client: TestClient, stores: FakeStores) -> None:
    given = [
        {"key": "mlflow.note.content", "value": "# Note"},
        {"key": "mlflow.user", "value": "ann"},
        {"key": "mlflow.runName", "value": "lenet"},
    ]
    run_id = start(client, tags=given)
    [new] = stores.runs.created
    assert (new.note, new.owner, dict(new.tags)) == ("# Note", "ann", {"mlflow.user": "ann"})
    assert tags(get_run(client, run_id)) == {tag["key"]: tag["value"] for tag in given}


def test_create_in_unknown_or_deleted_experiment_fails(client: TestClient) -> None:
    assert post(client, "runs/create", experiment_id="7")["error_code"] == "RESOURCE_DOES_NOT_EXIST"
    assert post(client, "runs/create", experiment_id="x")["status_code"] == 404
    created = post(client, "experiments/create", name="old")
    post(client, "experiments/delete", experiment_id=created["experiment_id"])
    answer = post(client, "runs/create", experiment_id=created["experiment_id"])
    assert answer["error_code"] == "INVALID_PARAMETER_VALUE"


def test_get_returns_values_that_json_has_not(client: TestClient) -> None:
    run_id = start(client)
    values = {"a": 0.5, "b": "NaN", "c": "-Infinity"}
    metrics = [{"key": k, "value": v, "timestamp": 5, "step": "3"} for k, v in values.items()]
    assert post(client, "runs/log-batch", run_id=run_id, metrics=metrics)["status_code"] == 200
    found = get_run(client, run_id)["data"]["metrics"]
    assert {item["key"]: item["value"] for item in found} == values
    assert found[0] == {"key": "a", "value": 0.5, "timestamp": 5, "step": 3}


def test_row_of_csv_is_a_finished_run(client: TestClient, stores: FakeStores) -> None:
    stores.runs.runs["c" * 32] = csv_row(params={"learning_rate": "0.01"})
    run = get_run(client, "c" * 32)
    milliseconds = int(NOW.timestamp() * 1000)
    assert run["info"] == {
        "run_id": "c" * 32,
        "run_uuid": "c" * 32,
        "run_name": "mnist_experiment_1",
        "experiment_id": "0",
        "user_id": "",
        "status": "FINISHED",
        "start_time": milliseconds,
        "end_time": milliseconds,
        "artifact_uri": f"mlflow-artifacts:/0/{'c' * 32}/artifacts",
        "lifecycle_stage": "active",
    }
    metric = {"key": "test_accuracy", "value": 0.98, "timestamp": milliseconds, "step": 0}
    assert run["data"]["metrics"] == [metric]
    assert run["data"]["params"] == [{"key": "learning_rate", "value": "0.01"}]


@pytest.mark.parametrize(
    ("path", "fields"),
    [
        ("runs/log-metric", {"key": "a", "value": 1}),
        ("runs/log-metric", {"key": "a", "value": "x", "timestamp": 1}),
        ("runs/log-metric", {"key": "a", "value": True, "timestamp": 1}),
        ("runs/log-metric", {"key": "a", "value": 1, "timestamp": 1.5}),
        ("runs/log-metric", {"key": "a", "value": 1, "timestamp": 2**63}),
        ("runs/log-metric", {"value": 1, "timestamp": 1}),
        ("runs/log-parameter", {"key": "a", "value": 1}),
        ("runs/log-parameter", {"key": "a", "value": "\0"}),
        ("runs/log-batch", {"metrics": [1]}),
        ("runs/log-batch", {"metrics": {"a": 1}}),
        ("runs/update", {"status": "DONE"}),
        ("runs/update", {"end_time": -1}),
    ],
)
def test_invalid_field_is_refused(client: TestClient, path: str, fields: dict[str, Any]) -> None:
    answer = post(client, path, run_id=start(client), **fields)
    assert (answer["status_code"], answer["error_code"]) == (400, "INVALID_PARAMETER_VALUE")


def test_body_that_is_no_object_is_refused(client: TestClient) -> None:
    for content in (b"[]", b"{", b"\xff"):
        response = client.post(f"{API}/runs/create", content=content)
        assert response.status_code == 400
        assert response.json()["error_code"] == "INVALID_PARAMETER_VALUE"


def test_changed_parameter_has_error_that_clients_know(client: TestClient) -> None:
    run_id = start(client)
    for value, status in (("0.1", 200), ("0.1", 200), ("0.2", 400)):
        answer = post(client, "runs/log-parameter", run_uuid=run_id, key="lr", value=value)
        assert answer["status_code"] == status
    assert answer["error_code"] == "INVALID_PARAMETER_VALUE"
    twice = [{"key": "a", "value": "1"}, {"key": "a", "value": "2"}]
    assert post(client, "runs/log-batch", run_id=run_id, params=twice)["status_code"] == 400


def test_long_values_are_cut_as_mlflow_does(client: TestClient, stores: FakeStores) -> None:
    run_id = start(client)
    post(client, "runs/log-parameter", run_id=run_id, key="p", value="x" * 7_000)
    post(client, "runs/set-tag", run_id=run_id, key="t", value="x" * 9_000)
    run = stores.runs.get(run_id)
    assert (len(run.params["p"]), len(run.tags["t"])) == (6_000, 8_000)


def test_update_to_taken_name_gets_number(client: TestClient) -> None:
    start(client, "a")
    run_id = start(client, "b")
    for _ in range(2):
        answer = post(client, "runs/update", run_id=run_id, run_name="a")
        assert answer["run_info"]["run_name"] == "a_2"
    post(client, "runs/set-tag", run_id=run_id, key="mlflow.runName", value="c")
    assert get_run(client, run_id)["info"]["run_name"] == "c"


def test_update_state_note_and_tags(client: TestClient) -> None:
    run_id = start(client)
    post(client, "runs/update", run_id=run_id, status="KILLED", end_time=START)
    post(client, "runs/set-tag", run_id=run_id, key="t", value="v")
    post(client, "runs/set-tag", run_id=run_id, key="mlflow.note.content", value="note")
    run = get_run(client, run_id)
    assert (run["info"]["status"], run["info"]["end_time"]) == ("KILLED", START)
    assert (tags(run)["t"], tags(run)["mlflow.note.content"]) == ("v", "note")
    for key in ("t", "t", "mlflow.note.content"):
        assert post(client, "runs/delete-tag", run_id=run_id, key=key)["status_code"] == 200
    assert tags(get_run(client, run_id)) == {"mlflow.runName": "lenet"}


def test_delete_archives_and_restore_brings_back(client: TestClient) -> None:
    run_id = start(client)
    for path, stage in (("runs/delete", "deleted"), ("runs/restore", "active")):
        assert post(client, path, run_id=run_id)["status_code"] == 200
        assert get_run(client, run_id)["info"]["lifecycle_stage"] == stage


def test_search_passes_filter_and_pages(client: TestClient, stores: FakeStores) -> None:
    for number in range(5):
        start(client, f"r{number}")
    query = {
        "experiment_ids": ["0", "3"],
        "filter": "metrics.loss < 1",
        "order_by": ["metrics.loss DESC"],
        "run_view_type": "ALL",
        "max_results": 2,
    }
    names: list[str] = []
    answer: dict[str, Any] = {"next_page_token": None}
    while "next_page_token" in answer:
        answer = post(client, "runs/search", **query, page_token=answer["next_page_token"])
        names += [run["info"]["run_name"] for run in answer["runs"]]
    assert names == ["r0", "r1", "r2", "r3", "r4"]
    conditions = [Condition("metric", "loss", "<", 1.0)]
    orders = [Order("metric", "loss", is_descending=True)]
    assert stores.runs.searched == ([0, 3], conditions, orders, 3, 4, "all")


@pytest.mark.parametrize(
    "fields",
    [
        {"filter": "datasets.name = 'x'"},
        {"order_by": ["loss"]},
        {"max_results": 0},
        {"max_results": 50_001},
        {"page_token": "x"},
        {"page_token": "LTE="},
        {"run_view_type": "SOME"},
    ],
)
def test_search_invalid_is_refused(client: TestClient, fields: dict[str, Any]) -> None:
    answer = post(client, "runs/search", experiment_ids=["0"], **fields)
    assert (answer["status_code"], answer["error_code"]) == (400, "INVALID_PARAMETER_VALUE")


def test_history_is_whole_or_paged(client: TestClient) -> None:
    run_id = start(client)
    metrics = [{"key": "a", "value": n, "timestamp": n, "step": n} for n in range(5)]
    post(client, "runs/log-batch", run_id=run_id, metrics=metrics)
    query = {"run_id": run_id, "metric_key": "a"}
    whole = client.get(f"{API}/metrics/get-history", params=query).json()
    assert [point["step"] for point in whole["metrics"]] == [0, 1, 2, 3, 4]
    assert "next_page_token" not in whole
    page = client.get(f"{API}/metrics/get-history", params={**query, "max_results": "3"}).json()
    token = page["next_page_token"]
    rest = client.get(f"{API}/metrics/get-history", params={**query, "page_token": token}).json()
    assert [point["step"] for point in page["metrics"] + rest["metrics"]] == [0, 1, 2, 3, 4]


def test_experiments_are_projects(client: TestClient) -> None:
    created = post(client, "experiments/create", name="mnist", tags=[{"key": "k", "value": "v"}])
    number = created["experiment_id"]
    taken = post(client, "experiments/create", name="mnist")
    assert (taken["status_code"], taken["error_code"]) == (400, "RESOURCE_ALREADY_EXISTS")
    post(client, "experiments/update", experiment_id=number, new_name="digits")
    post(client, "experiments/set-experiment-tag", experiment_id=number, key="a", value="b")
    post(client, "experiments/delete-experiment-tag", experiment_id=number, key="k")
    post(client, "experiments/delete", experiment_id=number)
    query = {"experiment_name": "digits"}
    found = client.get(f"{API}/experiments/get-by-name", params=query).json()["experiment"]
    assert (found["lifecycle_stage"], found["tags"]) == ("deleted", [{"key": "a", "value": "b"}])
    post(client, "experiments/restore", experiment_id=number)
    found = client.get(f"{API}/experiments/get", params={"experiment_id": number}).json()
    assert found["experiment"]["lifecycle_stage"] == "active"
    assert client.get(f"{API}/experiments/get", params={"experiment_id": "9"}).status_code == 404


def test_search_of_experiments_pages(client: TestClient, stores: FakeStores) -> None:
    post(client, "experiments/create", name="mnist")
    fields = {"filter": "name LIKE 'm%'", "order_by": ["name ASC"], "view_type": "ALL"}
    first = post(client, "experiments/search", **fields, max_results=1)
    assert [found["name"] for found in first["experiments"]] == ["Default"]
    assert post(client, "experiments/search", page_token=first["next_page_token"])["experiments"]
    conditions = [Condition("attribute", "name", "LIKE", "m%")]
    post(client, "experiments/search", **fields)
    orders = [Order("attribute", "name")]
    assert stores.projects.searched == (conditions, orders, 1001, 0, None)


def test_upload_of_text_comes_back_with_safe_headers(client: TestClient) -> None:
    path = f"{FILES}/0/{start(client)}/artifacts/notes/a.txt"
    assert client.put(path, content=b"hi").status_code == 200
    response = client.get(path)
    assert (response.content, response.headers["content-type"][:10]) == (b"hi", "text/plain")
    assert response.headers["x-content-type-options"] == "nosniff"
    assert response.headers["content-security-policy"].startswith("sandbox")


def test_upload_of_checkpoint_succeeds_and_keeps_nothing(
    client: TestClient, stores: FakeStores
) -> None:
    run_id = start(client)
    path = f"{FILES}/0/{run_id}/artifacts/checkpoints/latest_checkpoint.h5"
    for _ in range(2):
        assert client.put(path, content=bytes(5_000_000)).json() == {}
    found = stores.artifacts.artifacts[run_id, "checkpoints/latest_checkpoint.h5"]
    assert (found.artifact.size, found.content) == (5_000_000, b"")
    assert "make publish" in (found.artifact.refused or "")
    response = client.get(path)
    assert response.status_code == 404
    assert "make publish" in response.json()["message"]


def test_upload_of_pickle_by_script_is_refused(client: TestClient, stores: FakeStores) -> None:
    run_id = start(client)
    response = client.put(f"{FILES}/0/{run_id}/artifacts/model.pkl", content=b"pickle")
    assert (response.status_code, response.json()["error_code"]) == (400, "INVALID_PARAMETER_VALUE")
    assert "may hold code" in response.json()["message"]
    assert stores.artifacts.artifacts[run_id, "model.pkl"].content == b""


def test_upload_above_limit_is_noted(client: TestClient, stores: FakeStores) -> None:
    run_id = start(client)
    assert client.put(f"{FILES}/0/{run_id}/artifacts/a.txt", content=b"x" * 1001).json() == {}
    assert stores.artifacts.artifacts[run_id, "a.txt"].artifact.refused is not None
    assert client.put(f"{FILES}/0/{run_id}/artifacts/a\\b.h5", content=b"x").status_code == 400


def test_listing_has_stored_files_and_folders(client: TestClient) -> None:
    run_id = start(client)
    root = f"0/{run_id}/artifacts"
    for path in ("a.txt", "plots/b.txt", "plots/c/d.txt", "checkpoints/x.h5"):
        client.put(f"{FILES}/{root}/{path}", content=b"hi")
    listed = client.get(FILES, params={"path": root}).json()["files"]
    file = {"path": "a.txt", "is_dir": False, "file_size": 2}
    assert listed == [file, {"path": "plots", "is_dir": True}]
    listed = client.get(FILES, params={"path": f"{root}/plots"}).json()["files"]
    assert [file["path"] for file in listed] == ["b.txt", "c"]
    query = {"run_id": run_id, "path": "plots"}
    listed = client.get(f"{API}/artifacts/list", params=query).json()["files"]
    assert [file["path"] for file in listed] == ["plots/b.txt", "plots/c"]


def test_logged_model_keeps_params_and_status(client: TestClient) -> None:
    run_id = start(client)
    created = post(client, "logged-models", name="model", source_run_id=run_id)["model"]["info"]
    path = f"{API}/logged-models/{created['model_id']}"
    client.post(f"{path}/params", json={"params": [{"key": "C", "value": "1"}]})
    client.patch(f"{path}/tags", json={"tags": [{"key": "t", "value": "v"}]})
    ready = client.patch(path, json={"status": "LOGGED_MODEL_READY"}).json()["model"]
    assert ready == client.get(path).json()["model"]
    assert (ready["info"]["status"], ready["data"]["params"]) == (
        "LOGGED_MODEL_READY",
        [{"key": "C", "value": "1"}],
    )
    fields = {"experiment_ids": ["0"], "filter": "name = 'model'"}
    assert post(client, "logged-models/search", **fields)["models"] == [ready]
    assert post(client, "logged-models", name="model")["status_code"] == 400
    assert client.patch(path, json={"status": "DONE"}).status_code == 400


def test_unknown_endpoint_has_error_of_mlflow(client: TestClient) -> None:
    for method in ("GET", "POST", "DELETE"):
        response = client.request(method, f"{API}/registered-models/create")
        assert response.status_code == 404
        assert response.json()["error_code"] == "ENDPOINT_NOT_FOUND"
    response = client.delete(f"{FILES}/0/{'a' * 32}/artifacts/a.txt")
    assert (response.status_code, response.json()["error_code"]) == (501, "NOT_IMPLEMENTED")


def test_history_of_nan_is_text(client: TestClient) -> None:
    run_id = start(client)
    post(client, "runs/log-metric", run_id=run_id, key="a", value="NaN", timestamp=1)
    query = {"run_id": run_id, "metric_key": "a"}
    [point] = client.get(f"{API}/metrics/get-history", params=query).json()["metrics"]
    assert math.isnan(float(point["value"]))
