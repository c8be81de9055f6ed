"""The monitoring over HTTP with Postgres: detectors, checks, alerts, labels and references."""

import base64
import io
import os
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import psycopg2
import pytest
from PIL import Image
from starlette.testclient import TestClient

from inference.app import create_app
from inference.settings import from_environment
from tests.support.monitoring_images import digits
from tests.support.monitoring_rows import CHAMPION, TASK, MonitoringRows, fit_reference

BASE = "/api/v1.0"
BY = {"by": "ann"}


@pytest.fixture
def rows(service_database: dict[str, str]) -> Iterator[MonitoringRows]:
    owner = psycopg2.connect(
        host=service_database["PGHOST"], port=service_database["PGPORT"],
        dbname=service_database["PGDATABASE"], user=service_database["PGUSER"],
        password=service_database["PGPASSWORD"],
    )  # fmt: skip
    yield MonitoringRows(owner)
    owner.close()


@pytest.fixture
def client(rows: MonitoringRows, tmp_path: Any) -> Iterator[TestClient]:
    assert rows
    names = {"MODELS_DIR": "models", "COMPILED_DIR": "compiled", "JOURNAL_DIR": "journal"}
    folders = {name: tmp_path / folder for name, folder in names.items()}
    folders["MODELS_DIR"].mkdir()
    settings = from_environment(
        {**os.environ, **{name: str(folder) for name, folder in folders.items()}}
    )
    with TestClient(create_app(settings), raise_server_exceptions=False) as running:
        yield running


def get(client: TestClient, path: str, **query: Any) -> Any:
    response = client.get(f"{BASE}/{path}", params=query)
    assert response.status_code == 200, response.text
    return response.json()


def test_monitors_have_states_and_the_sign_of_life(
    client: TestClient, rows: MonitoringRows
) -> None:
    assert get(client, "monitors") == {
        "monitors": [], "is_alive": False, "seen_at": None,
        "no_monitor": get(client, "monitors")["no_monitor"],
    }  # fmt: skip
    version = rows.version()
    reference = rows.reference(version)
    rows.monitor(version, "inputs", reference_id=reference)
    rows.monitor(version, "novelty", reference_id=reference, path="as_sent")
    rows.monitor(version, "labels", learnt=300, evidence=None)
    rows.monitor(version, "confidence", evidence=float("-inf"))
    rows.monitor(version, "accuracy", path="all", watched=False)
    rows.alert(version)
    rows.heartbeat()
    answer = get(client, "monitors", task=TASK)
    states = {one["family"]: one["state"] for one in answer["monitors"]}
    assert states == {
        "inputs": "drifting", "novelty": "ok", "labels": "learning", "confidence": "no reference",
    }  # fmt: skip
    assert (answer["is_alive"], answer["no_monitor"]) == (True, None)
    inputs = next(one for one in answer["monitors"] if one["family"] == "inputs")
    assert (inputs["threshold"], inputs["evidence"], inputs["images"]) == (7, 1.2, 10_500)
    assert (inputs["reference"]["origin"], inputs["reference"]["images"]) == ("test", 1500)
    assert [one["evidence"] for one in answer["monitors"] if one["family"] == "confidence"] == [
        None
    ]
    assert get(client, "monitors", task="other")["monitors"] == []
    rows.heartbeat(timedelta(seconds=40))
    assert "MONITOR" in get(client, "monitors")["no_monitor"]


def test_checks_come_in_pages_without_gaps(client: TestClient, rows: MonitoringRows) -> None:
    version = rows.version()
    monitor = rows.monitor(version, reference_id=rows.reference(version))
    rows.checks(monitor, [0.1, 0.2, 0.3, 0.4, 0.5])
    page = get(client, f"monitors/{monitor}/checks", limit=2)
    assert page["features"] == list(fit_reference()[0].feature_names)
    seen = [one["images"] for one in page["checks"]]
    while page["next"]:
        page = get(client, f"monitors/{monitor}/checks", limit=2, cursor=page["next"])
        seen += [one["images"] for one in page["checks"]]
    assert seen == [500, 400, 300, 200, 100]
    for path in ("monitors/999/checks", "monitors/0/checks", f"monitors/{2**70}/checks"):
        assert client.get(f"{BASE}/{path}").status_code in (400, 404)
    wrong = client.get(f"{BASE}/monitors/{monitor}/checks", params={"cursor": "1.x"})
    assert (wrong.status_code, wrong.json()["errors"][0]["path"]) == (400, "cursor")
    high = client.get(
        f"{BASE}/monitors/{monitor}/checks", params={"cursor": f"{'9' * 18}.{'9' * 18}"}
    )
    assert high.status_code == 200


def test_alert_has_its_images_and_is_closed_once(client: TestClient, rows: MonitoringRows) -> None:
    version = rows.version()
    images, labels = digits(3, 1)
    ids = rows.predictions(version, images, labels)
    alert = rows.alert(version, ids)
    rows.one("DELETE FROM image_pixels WHERE image_id = %s", ids[2])
    detail = get(client, f"alerts/{alert}")
    assert [one["label"] for one in detail["examples"]] == labels
    assert [one["view"] is None for one in detail["examples"]] == [False, False, True]
    shown = Image.open(io.BytesIO(base64.b64decode(detail["examples"][0]["view"])))
    assert shown.tobytes() == images[0].tobytes()
    assert (detail["state"], detail["features"][0]["feature"]) == ("open", "peak")
    assert (detail["experiment_name"], detail["sources"]["curl"]) == (CHAMPION, 0.07)

    change = {"state": "closed", "by": "ann", "reason": "the scanner was replaced"}
    closed = client.put(f"{BASE}/alerts/{alert}", json=change)
    assert closed.status_code == 200
    assert (closed.json()["state"], closed.json()["closed_by"]) == ("closed", "ann")
    again = client.put(f"{BASE}/alerts/{alert}", json=change)
    assert (again.status_code, again.json()["title"]) == (409, "Alert conflict")
    assert client.put(f"{BASE}/alerts/999", json=change).status_code == 404
    assert client.get(f"{BASE}/alerts/999").status_code == 404
    for wrong in ({}, {**change, "state": "open"}, {**change, "reason": ""}, {**change, "x": 1}):
        assert client.put(f"{BASE}/alerts/{alert}", json=wrong).status_code == 400


def test_alerts_are_filtered_and_paged(client: TestClient, rows: MonitoringRows) -> None:
    version = rows.version()
    closed = {"closed_at": "2026-01-02", "closed_by": "ann", "close_reason": "x"}
    ids = [rows.alert(version, **closed) for _ in range(3)]
    ids.append(rows.alert(version))
    other = rows.alert(None, task="letters", kind="log", family="log", families=["log"])
    assert [one["alert_id"] for one in get(client, "alerts")["alerts"]] == [other, *ids[::-1]]
    assert [one["alert_id"] for one in get(client, "alerts", open=True)["alerts"]] == [
        other,
        ids[3],
    ]
    first = get(client, "alerts", task=TASK, limit=3)
    rest = get(client, "alerts", task=TASK, limit=3, cursor=first["next"])
    assert [one["alert_id"] for one in (*first["alerts"], *rest["alerts"])] == ids[::-1]
    assert rest["next"] is None
    assert len(get(client, "alerts", open=False)["alerts"]) == 3
    assert client.get(f"{BASE}/alerts", params={"open": "maybe"}).status_code == 400


def test_labels_are_asked_for_images_since_the_onset(
    client: TestClient, rows: MonitoringRows
) -> None:
    version = rows.version()
    old = rows.predictions(version, *digits(30, 1))
    new = rows.predictions(version, *digits(30, 2))
    onset = rows.one("SELECT min(number) FROM predictions WHERE image_id = %s", new[0])
    alert = rows.alert(version, new[:4], onset_number=onset)
    response = client.post(f"{BASE}/alerts/{alert}/label-requests", json={"images": 20, **BY})
    assert (response.status_code, response.json()) == (
        201,
        {"alert_id": alert, "task": TASK, "novel": 10, "random": 10},
    )
    asked = rows.one("SELECT array_agg(image_id::text) FROM label_requests WHERE why = 'novel'")
    plain = {one.replace("-", "") for one in asked}
    assert len(plain) == 10
    assert plain <= set(new)
    assert plain >= set(new[:4])
    assert not plain & set(old)
    assert client.post(f"{BASE}/alerts/999/label-requests", json=BY).status_code == 404
    rows.one("UPDATE images SET original_url = NULL, stored_at = NULL, deleted_at = now()")
    none = client.post(f"{BASE}/alerts/{alert}/label-requests", json=BY)
    assert (none.status_code, "No image" in none.json()["detail"]) == (409, True)
    wrong: Any
    for wrong in ([], {"images": 1, **BY}, {"images": 1001, **BY}):
        path = f"{BASE}/alerts/{alert}/label-requests"
        assert client.post(path, json=wrong).status_code == 400


def test_reference_is_requested_and_replaced(client: TestClient, rows: MonitoringRows) -> None:
    rows.version()
    first = client.post(f"{BASE}/monitors/{TASK}/reference", json=BY)
    second = client.post(
        f"{BASE}/monitors/{TASK}/reference", json={"from": "traffic", "images": 1000}
    )
    assert (first.status_code, second.status_code) == (202, 202)
    assert (first.json()["images"], second.json()["images"]) == (2000, 1000)
    assert [one.json()["requested_by"] for one in (first, second)] == ["ann", "api"]
    assert "MONITOR" in second.json()["no_monitor"]
    states = rows.one("SELECT array_agg(state ORDER BY id) FROM reference_requests")
    assert states == ["replaced", "waiting"]
    unknown = client.post(f"{BASE}/monitors/letters/reference", json=BY)
    assert (unknown.status_code, unknown.json()["title"]) == (404, "Unknown task")
    wrong: Any
    for wrong in ([], {"from": "test", **BY}, {"images": 999, **BY}, {"images": 10_001, **BY}):
        assert client.post(f"{BASE}/monitors/{TASK}/reference", json=wrong).status_code == 400


def test_without_postgres_every_operation_is_503(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    monkeypatch.setenv("PGHOST", str(tmp_path / "none"))
    (tmp_path / "models").mkdir()
    folders = {name: str(tmp_path / name.lower()) for name in ("COMPILED_DIR", "JOURNAL_DIR")}
    settings = from_environment({**os.environ, "MODELS_DIR": str(tmp_path / "models"), **folders})
    with TestClient(create_app(settings), raise_server_exceptions=False) as running:
        closed = {"state": "closed", "by": "ann", "reason": "x"}
        answers = [
            running.get(f"{BASE}/monitors"),
            running.get(f"{BASE}/monitors/1/checks"),
            running.get(f"{BASE}/alerts"),
            running.get(f"{BASE}/alerts/1"),
            running.put(f"{BASE}/alerts/1", json=closed),
            running.post(f"{BASE}/alerts/1/label-requests", json=BY),
            running.post(f"{BASE}/monitors/{TASK}/reference", json=BY),
        ]
    assert [one.status_code for one in answers] == [503] * 7
    assert {one.headers["content-type"] for one in answers} == {"application/problem+json"}
