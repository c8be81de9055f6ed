"""Native API of runs against a running service with two workers."""

from __future__ import annotations

import hashlib
import math
import time
from collections.abc import Iterator
from contextlib import closing
from typing import Any

import psycopg2
import pytest
import requests

from tests.integration.tracking.conftest import in_threads
from tests.support.database import connect
from tests.support.tracked_service import TrackedService, run_service

KEY = "the-key-of-the-tests"


@pytest.fixture(scope="module")
def service(
    module_database: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[TrackedService]:
    environment = {**module_database, "PGUSER": "mlops_app", "PGPASSWORD": "pass123"}
    with pytest.MonkeyPatch.context() as patch:
        for name, value in environment.items():
            patch.setenv(name, value)
        folder = tmp_path_factory.mktemp("service")
        keys = folder / "keys"
        keys.write_text(f"{hashlib.sha256(KEY.encode()).hexdigest()} the tests\n")
        with run_service(folder, key=KEY, API_KEYS_FILE=str(keys)) as running:
            yield running


def start(service: TrackedService, name: str = "lenet", **fields: Any) -> dict[str, Any]:
    response = service.call("POST", "/experiments", {"name": name, **fields})
    assert response.status_code == 201, response.text
    document: dict[str, Any] = response.json()
    return document


def test_run_is_on_the_leaderboard_within_two_seconds(service: TrackedService) -> None:
    run = start(service, params={"learning_rate": 0.1, "momentum": 0.9, "batch": 32})
    assert (run["learning_rate"], run["momentum"], run["state"]) == (0.1, 0.9, "running")
    points = [{"metric": "loss", "step": step, "value": 1 / step, "at": step} for step in (1, 2)]
    started = time.monotonic()
    for _ in range(2):
        stored = service.call("POST", f"/experiments/{run['run_id']}/points", {"points": points})
        assert (stored.status_code, stored.json()) == (200, {"stored": 2})
    while (found := service.call("GET", f"/experiments/{run['name']}").json())["last_step"] != 2:
        assert time.monotonic() - started < 2
        time.sleep(0.05)
    assert (found["best_loss"], found["params"], found["source"]) == (0.5, {"batch": 32}, "api")
    read = service.call("GET", f"/experiments/{run['name']}/points?metric=loss").json()
    assert read["points"] == [
        {"step": p["step"], "value": p["value"], "at": p["at"]} for p in points
    ]


def test_special_values_are_stored(service: TrackedService) -> None:
    path = f"/experiments/{start(service, 'special')['run_id']}"
    values = ["NaN", "Infinity", "-Infinity", 1]
    points = [{"metric": "loss", "step": i, "value": value} for i, value in enumerate(values)]
    assert service.call("POST", f"{path}/points", {"points": points}).ok
    read = service.call("GET", f"{path}/points?metric=loss").json()["points"]
    assert [point["value"] for point in read] == ["NaN", "Infinity", "-Infinity", 1.0]
    assert service.call("PATCH", path, {"state": "finished"}).json()["state"] == "finished"
    assert service.call("GET", "/experiments/special").json()["best_loss"] == 1.0
    listed = service.call("GET", "/experiments")
    assert listed.json()["experiments"]


def test_curve_of_csv_row_has_points_without_time(
    service: TrackedService, module_database: dict[str, str]
) -> None:
    with closing(connect(module_database)) as connection, connection, connection.cursor() as cursor:
        cursor.execute(
            "WITH added AS (INSERT INTO experiments (name, source_file, source_line,"
            " content_digest) VALUES ('row', 'data.csv', 2, '') RETURNING id)"
            " INSERT INTO metric_curves (experiment_id, metric, steps, metric_values,"
            " best_value, best_step) SELECT id, 'loss', '{100,250}', '{0.5,NaN}', 0.5, 100"
            " FROM added"
        )
    path = "/experiments/row/points"
    assert service.call("GET", f"{path}?metric=loss").json()["points"] == [
        {"step": 100, "value": 0.5, "at": None},
        {"step": 250, "value": "NaN", "at": None},
    ]
    assert service.call("GET", f"{path}?metric=none").json()["points"] == []


def test_same_run_id_gets_the_same_run(service: TrackedService) -> None:
    document = {"name": "twice", "run_id": "b" * 32, "project": "parity", "owner": "ann"}
    statuses = [service.call("POST", "/experiments", document).status_code for _ in range(2)]
    assert statuses == [201, 200]
    assert service.call("GET", "/experiments/twice").json()["project"] == "parity"


def test_note_in_two_browsers_conflicts(service: TrackedService) -> None:
    start(service, "noted")
    change = {"note": "a", "note_revision": 0, "author": "ann"}
    first = service.call("PATCH", "/experiments/noted", change).json()
    assert (first["note_revision"], first["note_author"], first["tags_author"]) == (1, "ann", None)
    second = service.call("PATCH", "/experiments/noted", {"note": "b", "note_revision": 0})
    problem = second.json()
    assert (second.status_code, problem["note"], problem["note_revision"]) == (409, "a", 1)
    assert problem["instance"] == f"urn:mlops:request:{second.headers['X-Request-Id']}"


def test_previous_name_finds_the_run(service: TrackedService) -> None:
    start(service, "before")
    assert service.call("PATCH", "/experiments/before", {"name": "after", "author": "x"}).ok
    assert service.call("GET", "/experiments/before").json()["name"] == "after"
    tagged = service.call("PATCH", "/experiments/before", {"tags": {"a": "1"}, "archived": True})
    assert (tagged.json()["tags"], tagged.json()["name"]) == ({"a": "1"}, "after")


@pytest.mark.parametrize(
    ("method", "path", "document", "status"),
    [
        ("POST", "/experiments", {"name": "-"}, 400),
        ("POST", "/experiments", {"name": "a", "unknown": 1}, 400),
        ("POST", "/experiments", {"name": "a", "params": {"x": [1]}}, 400),
        ("POST", "/experiments", {"name": "a", "note": "\0"}, 400),
        ("POST", "/experiments", {"name": "a", "started_at": "yesterday"}, 400),
        ("POST", "/experiments", ["a"], 400),
        ("POST", "/experiments/none/points", {"points": []}, 404),
        ("POST", "/experiments/none/points", {"points": [{"metric": "x", "step": 0.5}]}, 400),
        ("POST", "/experiments/none/points", {"points": [{"metric": "x", "step": 2**70}]}, 400),
        ("PATCH", "/experiments/none", {"owner": "a"}, 404),
        ("PATCH", "/experiments/none", {"state": "gone"}, 400),
        ("GET", "/experiments/none/points?metric=loss", None, 404),
        ("GET", "/experiments/none/points", None, 400),
        ("GET", "/experiments/none/artifacts/a/../b", None, 404),
        ("PUT", "/experiments/none/points", None, 405),
    ],
)
def test_invalid_request_gets_a_problem(
    service: TrackedService, method: str, path: str, document: Any, status: int
) -> None:
    response = service.call(method, path, document)
    assert response.status_code == status, response.text
    assert response.headers["Content-Type"] == "application/problem+json"
    assert response.json()["status"] == status


def test_large_bodies_are_limited(service: TrackedService) -> None:
    path = f"/experiments/{start(service, 'large')['run_id']}/points"
    points = [{"metric": "loss", "step": i, "value": math.sin(i), "at": i} for i in range(10_001)]
    assert service.call("POST", path, {"points": points}).status_code == 400
    assert service.call("POST", path, {"points": points[:-1]}).json() == {"stored": 10_000}
    huge = b" " * (17 * 2**20)
    headers = {"X-API-Key": KEY}
    response = requests.post(service.url + path, data=huge, headers=headers, timeout=30)
    assert response.status_code == 413
    refused = requests.post(
        f"{service.root}/api/2.0/mlflow/runs/log-batch", data=huge, headers=headers, timeout=30
    )
    assert (refused.status_code, refused.json()["error_code"]) == (413, "BAD_REQUEST")


def test_csv_text_as_body_is_refused(service: TrackedService) -> None:
    response = requests.post(
        f"{service.url}/experiments", data="name=a", headers={"X-API-Key": KEY}, timeout=30
    )
    assert response.status_code == 415


def test_metrics_count_points(service: TrackedService) -> None:
    run = start(service, "counted")
    before = _metric(service, "mlops_tracking_points_total")
    points = [{"metric": "loss", "step": step, "value": 1} for step in range(7)]
    service.call("POST", f"/experiments/{run['run_id']}/points", {"points": points})
    deadline = time.monotonic() + 10
    while (
        _metric(service, "mlops_tracking_points_total") < before + 7
        or _metric(service, 'mlops_tracking_runs{state="active"}') < 1
    ):
        assert time.monotonic() < deadline
        time.sleep(0.1)
    assert _metric(service, "mlops_tracking_failures_total") == 0


def test_killed_process_loses_no_point_and_stores_none_twice(
    service: TrackedService, module_database: dict[str, str]
) -> None:
    runs = [start(service, f"kill{number}")["run_id"] for number in range(2)]
    failures: set[str] = set()

    def send(number: int) -> None:
        """Log 150 points one by one, each repeated until it is stored."""
        for step in range(150):
            point = {"metric": "loss", "step": step, "value": 1.0, "at": step}
            path = f"/experiments/{runs[number % 2]}/points"
            while not (answer := service.call("POST", path, {"points": [point]})).ok:
                assert answer.status_code == 503, answer.text
                assert int(answer.headers["Retry-After"]) > 0
                failures.add(answer.json()["type"])
                time.sleep(0.05)

    def kill(_: int) -> None:
        for _ in range(2):
            time.sleep(0.3)
            service.wait_for_tracking().kill()

    in_threads(5, lambda number: kill(number) if number == 4 else send(number))
    assert failures == {"urn:mlops:problem:tracking-unavailable"}
    with (
        psycopg2.connect(
            host=module_database["PGHOST"],
            port=module_database["PGPORT"],
            user=module_database["PGUSER"],
            password=module_database["PGPASSWORD"],
            dbname=module_database["PGDATABASE"],
        ) as connection,
        connection.cursor() as cursor,
    ):
        cursor.execute(
            "SELECT e.run_id, count(*), count(DISTINCT step) FROM run_points p"
            " JOIN experiments e ON e.id = p.experiment_id WHERE e.run_id = ANY (%s) GROUP BY 1",
            [runs],
        )
        assert sorted(cursor.fetchall()) == sorted((run, 150, 150) for run in runs)
    for run in runs:
        service.call("PATCH", f"/experiments/{run}", {"state": "finished"})
    assert service.call("GET", "/experiments/kill0").json()["last_step"] == 149


def test_keys_of_mlflow_and_of_ours_are_accepted(service: TrackedService) -> None:
    url, document = f"{service.url}/experiments", {"name": "keys"}
    refused = requests.post(url, json=document, timeout=30)
    assert (refused.status_code, refused.json()["status"]) == (401, 401)
    for headers in ({"X-API-Key": KEY}, {"Authorization": f"Bearer {KEY}"}):
        assert requests.post(url, json=document, headers=headers, timeout=30).ok
    for user, password, status in (("any", KEY, 201), (KEY, "x", 401)):
        answer = requests.post(url, json=document, auth=(user, password), timeout=30)
        assert answer.status_code == status
    mlflow = f"{service.root}/api/2.0/mlflow/runs"
    create = requests.post(f"{mlflow}/create", json={}, timeout=30)
    assert (create.status_code, create.json()["error_code"]) == (401, "UNAUTHENTICATED")
    assert requests.post(f"{mlflow}/search", json={}, timeout=30).status_code != 401
    bearer = {"Authorization": f"Bearer {KEY}"}
    assert requests.get(f"{service.url}/aliases", headers=bearer, timeout=30).status_code == 401


def _metric(service: TrackedService, name: str) -> float:
    lines = service.call("GET", "/metrics").text.splitlines()
    return next(float(line.rpartition(" ")[2]) for line in lines if line.startswith(name + " "))
