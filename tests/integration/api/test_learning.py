"""The learning loop over HTTP with Postgres: uploads, datasets, runs, labels and their errors."""

import hashlib
import json
import os
import shutil
import uuid
from collections.abc import Iterator
from typing import Any

import psycopg2
import pytest
from psycopg2.extras import RealDictCursor
from starlette.testclient import TestClient

from db.initialize import set_up
from db.settings import from_environment as db_settings
from inference.app import create_app
from inference.settings import from_environment
from tests.conftest import SHIPPED, digit_png, wait_until_ready

BASE = "/api/v1.0"
FIRST = "mnist_experiment_1__softmax_regression"
SECOND = "mnist_experiment_28__deep_cnn_8_16_32_short"
DIGEST, OTHER = "d" * 64, "e" * 64
BY = {"by": "ann", "reason": "300 new labels"}
NEW_RUN = {"task": "mnist", "experiment_name": FIRST, **BY}


@pytest.fixture(scope="module")
def connection(
    postgres_environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Any]:
    """The owner's connection to a database with two experiments."""
    csv = tmp_path_factory.mktemp("data") / "data.csv"
    lines = [f'{name},0.1,0,"{{""Step"": [1], ""Value"": [1]}}"' for name in (FIRST, SECOND)]
    csv.write_text("\n".join(["Experiment Name,Learning Rate,Momentum,Loss", *lines, ""]))
    with pytest.MonkeyPatch.context() as patch:
        variables = {"DATA_CSV": str(csv), "DATA_DIR": str(csv.parent / "none")}
        for name, value in {**postgres_environment, **variables}.items():
            patch.setenv(name, value)
        set_up(db_settings(os.environ))
        owner = psycopg2.connect("", cursor_factory=RealDictCursor)
        owner.autocommit = True
        patch.setenv("PGUSER", "mlops_app")
        patch.setenv("PGPASSWORD", "pass123")
        yield owner
        owner.close()


@pytest.fixture(scope="module")
def client(connection: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    assert connection
    folder = tmp_path_factory.mktemp("api")
    for name in (FIRST, SECOND):
        shutil.copytree(SHIPPED / name, folder / "models" / name)
    variables = {
        "MODELS_DIR": "models",
        "COMPILED_DIR": "compiled",
        "JOURNAL_DIR": "journal",
        "IMAGES_URL": "images",
    }
    settings = from_environment({name: str(folder / path) for name, path in variables.items()})
    with TestClient(create_app(settings), raise_server_exceptions=False) as running:
        wait_until_ready(running)
        running.folder = folder
        yield running


@pytest.fixture
def _clean(connection: Any) -> Iterator[None]:
    yield
    with connection.cursor() as cursor:
        cursor.execute(
            "TRUNCATE traffic, datasets, dataset_images, uploads, pipeline_runs, pipeline_triggers,"
            " pipeline_steps, trainings, evaluations, comparisons, promotion_decisions,"
            " label_requests, schedules, pipeline_workers, alias_events, labels, predictions,"
            " images, image_votes, confusion_counts, model_versions, prediction_events,"
            " retrain_requests, image_pixels, drift_references, drift_monitors, drift_checks,"
            " alerts, robustness, replicas, replica_versions"
        )


def insert(connection: Any, table: str, **values: Any) -> Any:
    """Insert a row and return its id, None for a table without one."""
    columns, marks = ", ".join(values), ", ".join(["%s"] * len(values))
    encoded = [json.dumps(item) if isinstance(item, dict) else item for item in values.values()]
    with connection.cursor() as cursor:
        cursor.execute(f"INSERT INTO {table} ({columns}) VALUES ({marks}) RETURNING *", encoded)
        return cursor.fetchone().get("id")


def add_dataset(connection: Any, digest: str = DIGEST, **more: Any) -> int:
    values: dict[str, Any] = {
        "task": "mnist", "digest": digest, "images": 70_003, "train": 55_002, "validation": 5_000,
        "test": 10_001, "classes": json.dumps(list("0123456789")), "sources": {"corrections": 3},
        "created_by": "run 1",
    }  # fmt: skip
    number: int = insert(connection, "datasets", **{**values, **more})
    return number


def add_version(connection: Any, name: str, version: int = 1) -> str:
    key = str(uuid.uuid4())
    insert(
        connection, "model_versions", id=key, experiment_name=name, version=version, digest=DIGEST,
        format="litert", task="mnist", classes=list("0123456789"), input="{}", output="logits",
        status="READY", first_seen_at="2026-01-01", status_since="2026-01-01",
    )  # fmt: skip
    return key


def add_prediction(connection: Any, version: str, number: int, label: str = "7") -> tuple[str, str]:
    """Insert an image with a stored original and its prediction; return both ids."""
    digest = f"{number:064x}"[::-1]
    key = str(uuid.uuid4())
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO images (id, digest, width, height, bytes, media_type, ink_share, mean,"
            " border, first_seen_at, original_url, stored_at) VALUES (%s, %s, 28, 28, 300,"
            " 'image/png', 0.2, 40, 0, now(), 'file:///x', now()) ON CONFLICT DO NOTHING",
            [digest[:32], digest],
        )
    insert(
        connection, "predictions", id=key, image_id=digest[:32], model_version_id=version,
        task="mnist", label=label, confidence=0.9, probabilities=[0.1] * 10,
        created_at="2026-01-01", last_event_at="2026-01-01",
    )  # fmt: skip
    return key, digest


def send(client: TestClient, data: bytes, *, task: str = "mnist", **fields: str) -> Any:
    return client.post(
        f"{BASE}/load_new_data?task={task}", files={"file": ("digits.zip", data)}, data=fields
    )


@pytest.mark.usefixtures("_clean")
def test_upload_is_stored_once_and_found_again(client: Any, connection: Any) -> None:
    data = os.urandom(300_000)
    digest = hashlib.sha256(data).hexdigest()
    first, again = send(client, data, name="pens", by="ann"), send(client, data, name="other")
    assert (first.status_code, again.status_code) == (202, 200)
    upload = first.json()
    assert {key: upload[key] for key in ("digest", "bytes", "state", "name", "uploaded_by")} == {
        "digest": digest, "bytes": 300_000, "state": "RECEIVED", "name": "pens",
        "uploaded_by": "ann",
    }  # fmt: skip
    assert again.json() == upload
    path = f"{BASE}/uploads/{upload['upload_id']}"
    assert (first.headers["location"], again.headers["location"]) == (path, path)
    assert (client.folder / "images" / digest[:2] / f"{digest}.bin").read_bytes() == data
    assert len(list((client.folder / "images").rglob("*.bin"))) == 1
    assert send(client, data, task="parity").json()["upload_id"] != upload["upload_id"]
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE uploads SET state = 'REJECTED', reason = 'no images', rejected = 1,"
            ' rejects = \'[{"path": "a", "reason": "b"}]\' WHERE id = %s',
            [upload["upload_id"]],
        )
    add_dataset(connection, sources={"uploads": {str(upload["upload_id"]): 3}})
    found = client.get(path).json()
    assert (found["state"], found["reason"], found["rejects"], found["datasets"]) == (
        "REJECTED", "no images", [{"path": "a", "reason": "b"}], [DIGEST],
    )  # fmt: skip
    listed = client.get(f"{BASE}/uploads?task=mnist&state=REJECTED").json()
    assert [entry["upload_id"] for entry in listed["uploads"]] == [upload["upload_id"]]


@pytest.mark.usefixtures("_clean")
def test_uploads_come_in_pages(client: Any) -> None:
    ids = [send(client, bytes([number]) * 9).json()["upload_id"] for number in range(3)]
    first = client.get(f"{BASE}/uploads?limit=2").json()
    second = client.get(f"{BASE}/uploads?limit=2&cursor={first['next']}").json()
    assert [entry["upload_id"] for entry in first["uploads"] + second["uploads"]] == ids[::-1]
    assert second["next"] is None


@pytest.mark.parametrize(
    ("query", "options", "status"),
    [
        ("", {"files": {"file": b"a"}}, 400),
        ("?task=Bad+Task", {"files": {"file": b"a"}}, 400),
        ("?task=mnist&more=1", {"files": {"file": b"a"}}, 400),
        ("?task=mnist&task=parity", {"files": {"file": b"a"}}, 400),
        ("?task=%00", {"files": {"file": b"a"}}, 400),
        ("?task=mnist", {"files": {"image": b"a"}}, 400),
        ("?task=mnist", {"files": {"file": b"a"}, "data": {"name": "a\x00b"}}, 400),
        ("?task=mnist", {"files": {"file": b"a"}, "data": {"name": "a" * 300}}, 400),
        ("?task=mnist", {"files": {"file": b""}}, 422),
        ("?task=mnist", {"json": {"file": "a"}}, 415),
        ("?task=mnist", {"data": {"file": "a"}}, 415),
        ("?task=mnist", {"content": b"a"}, 415),
    ],
)
@pytest.mark.usefixtures("_clean")
def test_unusual_upload_is_refused(
    client: Any, query: str, options: dict[str, Any], status: int
) -> None:
    response = client.post(f"{BASE}/load_new_data{query}", **options)
    assert (response.status_code, len(response.json()["detail"]) > 20) == (status, True)


@pytest.mark.usefixtures("_clean")
def test_upload_with_hostile_file_name_gets_a_harmless_one(client: Any) -> None:
    files = {"file": ("../../etc/pass\x00wd\n.zip", b"hostile")}
    upload = client.post(f"{BASE}/load_new_data?task=mnist", files=files).json()
    assert "/" not in upload["name"]
    assert upload["name"].isprintable()
    assert upload["uploaded_by"] == "anonymous"


@pytest.mark.usefixtures("_clean")
def test_store_that_cannot_be_written_is_a_503(client: Any) -> None:
    images = client.folder / "images"
    images.rename(client.folder / "moved") if images.exists() else None
    images.write_text("")
    try:
        response = send(client, b"no place")
        assert (response.status_code, response.json()["type"]) == (
            503,
            "urn:mlops:problem:storage-unavailable",
        )
    finally:
        images.unlink()
        (client.folder / "moved").rename(images) if (client.folder / "moved").exists() else None


@pytest.mark.usefixtures("_clean")
def test_dataset_has_lineage_counts_images_and_header(client: Any, connection: Any) -> None:
    parent = add_dataset(connection, OTHER)
    dataset = add_dataset(connection, parent_id=parent)
    for number, split in enumerate(("train", "train", "test")):
        insert(
            connection, "dataset_images", dataset_id=dataset, image_digest=f"{number}" * 64,
            label=str(number), split=split, source="correction", weight=3,
        )  # fmt: skip
    [latest, older] = client.get(f"{BASE}/datasets?task=mnist").json()["datasets"]
    assert (latest["digest"], latest["parent_digest"], older["digest"]) == (DIGEST, OTHER, OTHER)
    found = client.get(f"{BASE}/datasets/{DIGEST}").json()
    assert [entry["digest"] for entry in found["lineage"]] == [DIGEST, OTHER]
    assert {"split": "test", "source": "correction", "label": "2", "images": 1, "weight": 3} in (
        found["counts"]
    )
    url = f"{BASE}/datasets/{DIGEST}/images"
    first = client.get(f"{url}?limit=2").json()
    second = client.get(f"{url}?limit=2&cursor={first['next']}").json()
    assert [entry["label"] for entry in first["images"] + second["images"]] == ["0", "1", "2"]
    only = client.get(f"{url}?split=train&source=correction&label=1").json()["images"]
    assert [entry["image_digest"] for entry in only] == ["1" * 64]
    header = client.get(f"{BASE}/header?task=mnist").json()
    assert (header["rows"], header["dataset_digest"], header["classes"]) == (
        70_003, DIGEST, list("0123456789"),
    )  # fmt: skip
    assert header["columns"][0] == {
        "name": "image", "type": "uint8", "shape": [28, 28], "range": [0, 255],
    }  # fmt: skip
    assert client.get(f"{BASE}/datasets/{DIGEST}/header").json() == header


@pytest.mark.usefixtures("_clean")
def test_header_without_dataset_has_the_classes_of_the_models(client: Any, connection: Any) -> None:
    add_version(connection, FIRST)
    header = client.get(f"{BASE}/header?task=mnist").json()
    assert (header["classes"], header["rows"]) == (list("0123456789"), None)
    assert client.get(f"{BASE}/header?task=letters").status_code == 404


@pytest.mark.usefixtures("_clean")
def test_two_requests_are_one_run(client: Any, connection: Any) -> None:
    first = client.post(f"{BASE}/retrain", json={**NEW_RUN, "seeds": 1, "keep": True})
    second = client.post(f"{BASE}/retrain", json={**NEW_RUN, "trigger": "manual"})
    assert (first.status_code, second.status_code) == (202, 202)
    run = first.json()
    assert (run["joined"], second.json()["joined"], second.json()["run_id"]) == (
        False, True, run["run_id"],
    )  # fmt: skip
    assert first.headers["location"] == f"{BASE}/runs/{run['run_id']}"
    assert "make worker" in run["no_worker"]
    found = client.get(first.headers["location"]).json()
    assert found["params"] == {"seeds": 1, "dataset": "latest", "keep": True}
    assert [trigger["kind"] for trigger in found["triggers"]] == ["api", "manual"]
    assert (found["state"], found["steps"], found["decision"]) == ("QUEUED", [], None)
    insert(connection, "pipeline_workers", name="w", host="h", pid=1, version="v")
    listed = client.get(f"{BASE}/runs?task=mnist&state=QUEUED&kind=retrain").json()
    assert [entry["run_id"] for entry in listed["runs"]] == [run["run_id"]]
    assert (listed["no_worker"], listed["next"]) == (None, None)


@pytest.mark.usefixtures("_clean")
def test_unknown_experiment_gets_close_names(client: Any) -> None:
    near = {**NEW_RUN, "experiment_name": "mnist_experiment_1__softmax_regresion"}
    response = client.post(f"{BASE}/retrain", json=near)
    assert (response.status_code, FIRST in response.json()["detail"]) == (404, True)
    other = client.post(f"{BASE}/retrain", json={**NEW_RUN, "task": "parity"})
    assert (other.status_code, "task mnist" in other.json()["detail"]) == (404, True)
    missing = client.post(f"{BASE}/retrain", json={**NEW_RUN, "dataset": OTHER})
    assert (missing.status_code, missing.json()["type"]) == (
        404,
        "urn:mlops:problem:unknown-dataset",
    )


def finish(connection: Any, run: int, state: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE pipeline_runs SET state = %s, finished_at = now(), reason = 'a reason'"
            " WHERE id = %s",
            [state, run],
        )


@pytest.mark.usefixtures("_clean")
def test_run_is_cancelled_and_retried(client: Any, connection: Any) -> None:
    run = client.post(f"{BASE}/retrain", json=NEW_RUN).json()["run_id"]
    url = f"{BASE}/runs/{run}"
    assert client.post(f"{url}/retry", json=BY).status_code == 409
    cancelled = client.post(f"{url}/cancel", json=BY)
    assert (cancelled.status_code, cancelled.json()["outcome"], cancelled.json()["state"]) == (
        200, "cancelled", "CANCELLED",
    )  # fmt: skip
    again = client.post(f"{url}/cancel", json=BY)
    assert (again.status_code, again.json()["type"]) == (409, "urn:mlops:problem:run-conflict")
    retried = client.post(f"{url}/retry", json=BY)
    assert (retried.status_code, retried.json()["state"]) == (202, "QUEUED")
    with connection.cursor() as cursor:
        cursor.execute("UPDATE pipeline_runs SET state = 'RUNNING' WHERE id = %s", [run])
    assert client.post(f"{url}/cancel", json=BY).status_code == 202
    finish(connection, run, "FAILED")
    other = client.post(f"{BASE}/retrain", json=NEW_RUN).json()["run_id"]
    conflict = client.post(f"{url}/retry", json=BY)
    assert (conflict.status_code, f"Run {other} of" in conflict.json()["detail"]) == (409, True)


@pytest.mark.usefixtures("_clean")
def test_steps_and_evidence_of_a_run_are_shown(client: Any, connection: Any) -> None:
    run = client.post(f"{BASE}/retrain", json=NEW_RUN).json()["run_id"]
    assert client.get(f"{BASE}/runs/{run}/steps").json() == {"run_id": run, "steps": []}
    step = {"run_id": run, "name": "train", "ordinal": 4, "worker": "w"}
    insert(
        connection, "pipeline_steps", **step, attempt=1, state="FAILED", error="killed",
        finished_at="2026-01-01",
    )  # fmt: skip
    insert(
        connection, "pipeline_steps", **step, attempt=2, state="RUNNING", progress={"epoch": 3},
        inputs={"a": 1},
    )  # fmt: skip
    insert(
        connection, "trainings", run_id=run, seed=1, params={}, outcome="diverged",
        validation_accuracy="NaN",
    )  # fmt: skip
    insert(
        connection, "comparisons", run_id=run, image_set="base-test", set_digest=DIGEST,
        champion_digest=DIGEST, candidate_digest=OTHER, images=10, both_right=7, only_champion=0,
        only_candidate=2, both_wrong=1, p_better=0.25, gain=0.2, gain_lower=0, by_class={},
        decides=True,
    )  # fmt: skip
    found = client.get(f"{BASE}/runs/{run}").json()
    assert [(entry["attempt"], entry["progress"]) for entry in found["steps"]] == [
        (2, {"epoch": 3}),
    ]
    assert (found["trainings"][0]["validation_accuracy"], found["comparisons"][0]["p_better"]) == (
        None,
        0.25,
    )
    attempts = client.get(f"{BASE}/runs/{run}/steps").json()["steps"]
    assert [(entry["attempt"], entry["error"], entry["inputs"]) for entry in attempts] == [
        (1, "killed", {}),
        (2, None, {"a": 1}),
    ]


@pytest.mark.usefixtures("_clean")
def test_promoted_run_answers_as_champion_at_once(client: Any, connection: Any) -> None:
    first = client.put(
        f"{BASE}/aliases/mnist/champion",
        json={"experiment_name": FIRST, "moved_by": "ann", "reason": "first"},
    ).json()
    run = client.post(f"{BASE}/retrain", json=NEW_RUN).json()["run_id"]
    url = f"{BASE}/runs/{run}/promote"
    refused = client.post(url, json=BY)
    assert (refused.status_code, "not PROMOTE" in refused.json()["detail"]) == (409, True)
    decision = {
        "run_id": run, "verdict": "PROMOTE", "rule_version": 1, "settings": {}, "reasons": ["b"],
        "candidate_name": SECOND, "candidate_version": 1, "candidate_digest": DIGEST,
        "expected_event_id": first["event_id"],
    }  # fmt: skip
    insert(connection, "promotion_decisions", **decision)
    unready = client.post(url, json=BY)
    assert (unready.status_code, "not READY" in unready.json()["detail"]) == (409, True)
    add_version(connection, SECOND)
    ask = f"{BASE}/inference?experiment_name=champion"
    files = {"image_blob": digit_png("7")}
    assert client.post(ask, files=files).json()["experiment_name"] == FIRST
    moved = client.post(url, json=BY)
    assert (moved.status_code, moved.json()["outcome"]) == (200, "moved")
    assert client.post(ask, files=files).json()["experiment_name"] == SECOND
    assert client.post(url, json=BY).json()["outcome"] == "already"
    history = client.get(f"{BASE}/aliases/mnist/champion").json()
    assert history["experiment_name"] == SECOND
    back = client.post(
        f"{BASE}/aliases/mnist/champion/rollback", json={"moved_by": "ann", "reason": "worse"}
    )
    assert back.json()["experiment_name"] == FIRST
    moves = client.get(f"{BASE}/aliases/mnist/champion").json()["history"]
    assert [move["run_id"] for move in moves] == [run, run, None]
    assert client.get(f"{BASE}/runs/{run}").json()["decision"]["alias_event_id"] is not None


@pytest.mark.usefixtures("_clean")
def test_promotion_after_another_move_is_refused(client: Any, connection: Any) -> None:
    move = {"experiment_name": FIRST, "moved_by": "ann", "reason": "first"}
    expected = client.put(f"{BASE}/aliases/mnist/champion", json=move).json()["event_id"]
    client.put(f"{BASE}/aliases/mnist/champion", json={**move, "experiment_name": SECOND})
    add_version(connection, SECOND)
    run = client.post(f"{BASE}/retrain", json=NEW_RUN).json()["run_id"]
    insert(
        connection, "promotion_decisions", run_id=run, verdict="PROMOTE", rule_version=1,
        settings={}, reasons=["better"], candidate_name=SECOND, candidate_version=1,
        candidate_digest=DIGEST, expected_event_id=expected,
    )  # fmt: skip
    refused = client.post(f"{BASE}/runs/{run}/promote", json=BY)
    assert (refused.status_code, "champion has changed" in refused.json()["detail"]) == (409, True)


@pytest.mark.usefixtures("_clean")
def test_score_starts_a_run_of_its_own(client: Any, connection: Any) -> None:
    run = client.post(f"{BASE}/retrain", json=NEW_RUN).json()["run_id"]
    body = {
        "task": "mnist",
        "prefix": "scans/2026",
        "experiments": ["champion", f"{FIRST}@1"],
        **BY,
    }
    started = client.post(f"{BASE}/score", json=body)
    assert (started.status_code, started.json()["state"]) == (202, "QUEUED")
    assert started.json()["run_id"] != run
    found = client.get(started.headers["location"]).json()
    assert (found["kind"], found["params"]) == (
        "score",
        {"prefix": "scans/2026", "experiments": ["champion", f"{FIRST}@1"]},
    )
    add_dataset(connection)
    for known in (DIGEST, "base", "latest", None):
        by_dataset: dict[str, Any] = {"task": "mnist", "dataset": known, **BY}
        assert client.post(f"{BASE}/score", json=by_dataset).status_code == 202
    for bad in ({"prefix": "../etc"}, {"prefix": "/etc"}, {"dataset": DIGEST, "prefix": "a"}):
        response = client.post(f"{BASE}/score", json={"task": "mnist", **bad, **BY})
        assert response.status_code == 400, bad
    assert (
        client.post(f"{BASE}/score", json={"task": "mnist", "dataset": OTHER, **BY}).status_code
        == 404
    )


def post_model(client: TestClient, name: str, data: bytes = b"a model", **fields: str) -> Any:
    files = {"file": ("mine.keras", data)}
    return client.post(f"{BASE}/models/{name}", files=files, data={**BY, **fields})


@pytest.mark.usefixtures("_clean")
def test_model_is_stored_for_a_run_that_equal_requests_join(client: Any) -> None:
    card = {"task": "parity", "classes": ["even", "odd"], "metrics": {"test_accuracy": 0.98}}
    started = post_model(client, "mine", card=json.dumps(card))
    assert (started.status_code, started.json()["joined"]) == (202, False)
    assert started.json()["no_worker"].startswith("No worker of the pipeline")
    again = post_model(client, "mine", card=json.dumps(card))
    other = post_model(client, "mine", card=json.dumps(card), force="true")
    assert (again.json()["joined"], other.json()["joined"]) == (True, False)
    assert again.headers["location"] == started.headers["location"]
    run = client.get(started.headers["location"]).json()
    digest = hashlib.sha256(b"a model").hexdigest()
    assert (run["kind"], run["task"], run["experiment_name"], run["params"]["card"]) == (
        "publish", "parity", "mine", card,
    )  # fmt: skip
    assert [trigger["kind"] for trigger in run["triggers"]] == ["upload", "upload"]
    assert (client.folder / "images" / digest[:2] / f"{digest}.bin").read_bytes() == b"a model"
    listed = client.get(f"{BASE}/runs?kind=publish").json()["runs"]
    assert [one["run_id"] for one in listed] == [other.json()["run_id"], run["run_id"]]
    cancelled = client.post(f"{BASE}/runs/{run['run_id']}/cancel", json=BY)
    assert (cancelled.status_code, cancelled.json()["outcome"]) == (200, "cancelled")
    assert client.post(f"{BASE}/runs/{run['run_id']}/retry", json=BY).status_code == 202
    assert client.post(f"{BASE}/retrain", json=NEW_RUN).json()["joined"] is False


@pytest.mark.parametrize(
    ("name", "options", "status", "path"),
    [
        ("a b", {}, 400, "experiment_name"),
        ("mine.keras", {}, 400, "experiment_name"),
        (".mine", {}, 400, "experiment_name"),
        ("mine?x=1", {}, 400, None),
        ("mine", {"data": {"by": "ann"}}, 400, "reason"),
        ("mine", {"data": {**BY, "more": "1"}}, 400, None),
        ("mine", {"data": {**BY, "card": '{"task": "Mnist"}'}}, 400, "card/task"),
        ("mine", {"data": {**BY, "card": "a" * 70_000}}, 400, "card"),
        ("mine", {"data": {**BY, "force": "yes"}}, 400, "force"),
        ("mine", {"files": {"file": b""}}, 422, "file"),
        ("mine", {"files": {"model": b"a"}}, 400, None),
        ("mine", {"files": None, "data": None, "json": BY}, 415, "file"),
        ("mine", {"files": None, "data": None, "content": b"a"}, 415, "file"),
    ],
)
@pytest.mark.usefixtures("_clean")
def test_unusual_model_is_refused(
    client: Any, name: str, options: dict[str, Any], status: int, path: str | None
) -> None:
    request = {"files": {"file": b"a"}, "data": BY, **options}
    response = client.post(f"{BASE}/models/{name}", **request)
    assert response.status_code == status, response.text
    assert [error["path"] for error in response.json().get("errors", [])] == (
        [] if path is None else [path]
    )
    assert client.get(f"{BASE}/runs").json()["runs"] == []


@pytest.mark.usefixtures("_clean")
def test_model_for_a_previous_name_is_refused(client: Any, connection: Any) -> None:
    with connection.cursor() as cursor:
        cursor.execute("INSERT INTO experiments (name, source) VALUES ('old', 'api')")
        cursor.execute("SELECT rename_experiment('old', 'new', 'ann')")
    try:
        response = post_model(client, "old")
        assert (response.status_code, response.json()["type"].rpartition(":")[2]) == (
            409, "renamed-experiment",
        )  # fmt: skip
        assert "is now new" in response.json()["detail"]
    finally:
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM experiments WHERE name = 'new'")


@pytest.mark.usefixtures("_clean")
def test_schedule_is_stored_replaced_and_deleted(client: Any) -> None:
    url = f"{BASE}/schedules/mnist"
    assert client.get(url).status_code == 404
    body = {"cron": " 0  3 * * 1 ", "experiment_name": FIRST, "by": "ann"}
    stored = client.put(url, json=body)
    assert (stored.status_code, stored.json()["cron"], stored.json()["enabled"]) == (
        200, "0 3 * * 1", True,
    )  # fmt: skip
    assert stored.json()["next_at"].endswith("T03:00:00Z")
    disabled = client.put(url, json={**body, "enabled": False, "seeds": 2}).json()
    assert (disabled["next_at"], disabled["params"]["seeds"]) == (None, 2)
    assert client.get(url).json() == disabled
    assert client.get(f"{BASE}/schedules").json() == {"schedules": [disabled]}
    for cron in ("* * * *", "60 * * * *", "0 0 31 2 *", "@daily", "0 0 * * mon", "*/0 * * * *"):
        response = client.put(url, json={**body, "cron": cron})
        assert (response.status_code, response.json()["errors"][0]["path"]) == (422, "cron"), cron
    assert client.delete(url).json() == {"task": "mnist", "deleted": True}
    assert client.delete(url).status_code == 404


@pytest.mark.usefixtures("_clean")
def test_label_request_is_answered_by_a_label(client: Any, connection: Any) -> None:
    older, champion = add_version(connection, FIRST), add_version(connection, SECOND)
    insert(
        connection, "alias_events", task="mnist", alias="champion", experiment_name=SECOND,
        version=1, moved_by="a", reason="b",
    )  # fmt: skip
    for number in (1, 2, 3):
        add_prediction(connection, older, number, "1")
    wanted, digest = add_prediction(connection, champion, 1)
    asked = client.post(f"{BASE}/label-requests", json={"task": "mnist", "images": 2, "by": "ann"})
    assert (asked.status_code, asked.json()["asked"]) == (201, 2)
    with connection.cursor() as cursor:
        cursor.execute("DELETE FROM label_requests")
    for number, why in ((2, "random"), (1, "disagreement")):
        insert(
            connection, "label_requests", task="mnist", image_digest=f"{number:064x}"[::-1],
            image_id=f"{number:064x}"[::-1][:32], why=why, requested_by="run 1",
        )  # fmt: skip
    page = client.get(f"{BASE}/label-requests?task=mnist&limit=1").json()
    [request] = page["requests"]
    assert (request["why"], request["image_digest"], request["prediction_id"]) == (
        "disagreement", digest, wanted,
    )  # fmt: skip
    assert (page["open"], page["classes"], "label" in request) == (2, list("0123456789"), False)
    rest = client.get(f"{BASE}/label-requests?task=mnist&cursor={page['next']}").json()
    assert [entry["why"] for entry in rest["requests"]] == ["random"]
    label = {"label": "7", "labelled_by": "ann", "answers_request": request["request_id"]}
    other = rest["requests"][0]
    mismatch = client.put(f"{BASE}/predictions/{other['prediction_id']}/label", json=label)
    assert (mismatch.status_code, mismatch.json()["type"]) == (
        409,
        "urn:mlops:problem:unrequested-label",
    )
    url = f"{BASE}/predictions/{wanted}/label"
    assert client.put(url, json=label).status_code == 200
    with connection.cursor() as cursor:
        cursor.execute("SELECT source FROM labels")
        assert [row["source"] for row in cursor.fetchall()] == ["disagreement"]
    skip = f"{BASE}/label-requests/{other['request_id']}/skip"
    assert client.post(skip, json={"by": "ann"}).status_code == 200
    assert client.post(skip, json={"by": "ann"}).status_code == 409
    assert client.get(f"{BASE}/label-requests?task=mnist").json()["open"] == 0
    withdrawn = client.delete(f"{url}?withdrawn_by=ann")
    assert (withdrawn.status_code, withdrawn.json()["label"]) == (200, None)
    assert client.get(f"{BASE}/label-requests?task=mnist").json()["open"] == 1
    again = client.delete(f"{url}?withdrawn_by=ann")
    assert (again.status_code, again.json()["type"]) == (409, "urn:mlops:problem:no-label")
    detail = client.get(f"{BASE}/predictions/{wanted}").json()
    assert (detail["true_label"], len(detail["labels"])) == (None, 1)


@pytest.mark.usefixtures("_clean")
def test_no_image_left_to_ask_for_is_a_conflict(client: Any) -> None:
    body = {"task": "mnist", "images": 5, "by": "ann"}
    response = client.post(f"{BASE}/label-requests", json=body)
    assert (response.status_code, "left to ask" in response.json()["detail"]) == (409, True)


@pytest.mark.usefixtures("_clean")
def test_evaluation_is_stored_and_listed(client: Any) -> None:
    evaluation = {
        "experiment_name": FIRST, "version": 1, "model_digest": DIGEST, "image_set": "my digits",
        "set_digest": OTHER, "images": 10, "correct": 9,
        "by_class": {"7": {"images": 6, "correct": 6}, "1": {"images": 4, "correct": 3}},
        "evaluated_by": "ann",
    }  # fmt: skip
    stored = client.post(f"{BASE}/evaluations", json=evaluation)
    assert (stored.status_code, stored.json()["accuracy"]) == (201, 0.9)
    repeated = client.post(f"{BASE}/evaluations", json=evaluation).json()
    assert repeated["evaluation_id"] == stored.json()["evaluation_id"]
    later = client.post(f"{BASE}/evaluations", json={**evaluation, "image_set": "other"}).json()
    listed = client.get(f"{BASE}/evaluations?experiment_name={FIRST}@1&limit=1").json()
    assert ([entry["evaluation_id"] for entry in listed["evaluations"]], listed["next"]) == (
        [later["evaluation_id"]],
        later["evaluation_id"],
    )
    only = client.get(f"{BASE}/evaluations?image_set=my+digits").json()["evaluations"]
    assert only == [stored.json()]
    wrong = client.post(f"{BASE}/evaluations", json={**evaluation, "correct": 8})
    assert (wrong.status_code, wrong.json()["errors"][0]["path"]) == (422, "by_class")


@pytest.mark.usefixtures("_clean")
def test_run_is_followed_by_lines_until_it_is_over(client: Any, connection: Any) -> None:
    run = client.post(f"{BASE}/retrain", json=NEW_RUN).json()["run_id"]
    finish(connection, run, "FAILED")
    headers = {"Accept": "application/x-ndjson"}
    response = client.get(f"{BASE}/runs/{run}", headers=headers)
    assert response.headers["content-type"] == "application/x-ndjson"
    [line] = response.text.splitlines()
    assert json.loads(line) == client.get(f"{BASE}/runs/{run}").json()
    unknown = client.get(f"{BASE}/runs/999999", headers=headers)
    assert (unknown.status_code, unknown.json()["type"]) == (404, "urn:mlops:problem:unknown-run")


READS = [
    "uploads/{}", "runs/{}", "runs/{}/steps", "datasets/{}", "datasets/{}/images",
    "datasets/{}/header", "schedules/{}",
]  # fmt: skip
HOSTILE = [
    "0", "-1", "9" * 18, "9" * 30, "9" * 5000, "\u0661", "1.5", "%00", "%2e%2e", "a" * 64,
    "d" * 64 + "%0A", "'%20OR%201=1", "\U0001f600",
]  # fmt: skip


@pytest.mark.parametrize("path", READS)
def test_hostile_id_is_refused(client: Any, path: str) -> None:
    for value in HOSTILE:
        response = client.get(f"{BASE}/{path.format(value)}")
        assert response.status_code in {400, 404}, (value, response.text)
        assert len(response.content) <= 1024


LISTS = [
    "uploads", "datasets", "runs", "evaluations", f"datasets/{DIGEST}/images", "label-requests",
]  # fmt: skip
QUERIES = [
    "cursor=0", "cursor=-1", f"cursor={'9' * 30}", f"cursor={'9' * 5000}", "cursor=%00",
    "cursor=", "cursor=x", "cursor=1.5", "cursor=9.9999999999999999999", "limit=0",
    "limit=501", "task=%00", "task=A", f"task={'a' * 33}", "state=x", "kind=x", "split=x",
    "source=x", "label=%00", "image_set=%00", "experiment_name=%00", "more=1",
]  # fmt: skip


@pytest.mark.usefixtures("_clean")
@pytest.mark.parametrize("path", LISTS)
def test_hostile_query_is_refused_or_answered(client: Any, connection: Any, path: str) -> None:
    add_dataset(connection)
    for query in QUERIES:
        task = "&task=mnist" if path == "label-requests" and "task" not in query else ""
        response = client.get(f"{BASE}/{path}?{query}{task}")
        assert response.status_code in {200, 400}, (query, response.text)
        assert len(response.content) <= 1024


VALUES: list[Any] = [
    None, True, 1, -1, 2**70, 1e400, "", " ", "a\x00b", "a" * 10_000, "\ud800", [], {}, [[]],
    {"a": "\x00"}, {"a": float("nan")}, ["\x00"],
]  # fmt: skip
BODIES: dict[str, tuple[str, dict[str, Any]]] = {
    "retrain": ("POST", {**NEW_RUN, "seeds": 1, "dataset": "latest", "keep": True,
                         "sweep": {"trials": 1, "momentum": [0.5, 0.9]}, "trigger": "api"}),
    "score": ("POST", {"task": "mnist", "dataset": None, "prefix": "a", "experiments": ["a"],
                       **BY}),
    "runs/1/cancel": ("POST", BY),
    "runs/1/retry": ("POST", BY),
    "runs/1/promote": ("POST", BY),
    "schedules/mnist": ("PUT", {"cron": "0 3 * * *", "experiment_name": FIRST, "enabled": True,
                                "by": "ann"}),
    "label-requests": ("POST", {"task": "mnist", "images": 1, "by": "ann"}),
    "label-requests/1/skip": ("POST", {"by": "ann"}),
    f"predictions/{uuid.UUID(int=1)}/label": (
        "PUT", {"label": "7", "labelled_by": "ann", "answers_request": 1},
    ),
    "evaluations": ("POST", {
        "experiment_name": FIRST, "version": 1, "model_digest": DIGEST, "image_set": "a",
        "set_digest": OTHER, "images": 1, "correct": 1,
        "by_class": {"7": {"images": 1, "correct": 1}}, "evaluated_by": "ann",
    }),
}  # fmt: skip


@pytest.mark.parametrize("path", BODIES)
def test_hostile_field_is_refused_or_answered(client: Any, path: str) -> None:
    method, body = BODIES[path]
    bodies: list[Any] = [{**body, field: value} for field in body for value in VALUES]
    bodies += [{key: body[key] for key in body if key != field} for field in body]
    for changed in [*bodies, {**body, "more": 1}, [], None, "text"]:
        content = json.dumps(changed)
        headers = {"Content-Type": "application/json"}
        response = client.request(method, f"{BASE}/{path}", content=content, headers=headers)
        is_pending = "not-yet-stored" in response.text  # nothing ships the journal here
        assert response.status_code < 500 or is_pending, (content[:200], response.text)
        if response.status_code >= 400:
            assert len(response.content) <= 1024
            assert response.json()["detail"]
