"""Prediction history: pages, single predictions, labels, imports and originals, with Postgres."""

import itertools
import json
import os
import random
import shutil
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg2
import pytest
from psycopg2.extras import RealDictCursor, execute_values
from starlette.testclient import TestClient

from db.initialize import set_up
from db.settings import from_environment as db_settings
from inference.app import create_app
from inference.database.pool import Database
from inference.database.predictions import Filter, History, page_query
from inference.errors import LabelConflictError, NotYetStoredError, UnknownPredictionError
from inference.originals.open_store import open_store
from inference.settings import from_environment
from tests.conftest import SHIPPED, digit_png, wait_until_ready

BASE = "/api/v1.0"
COUNT = 20_000
START = datetime(2026, 1, 1, tzinfo=UTC)
VERSIONS = [
    ("alpha", 1),
    ("alpha", 2),
    ("beta", 1),
    *((f"rare{number}", 1) for number in range(20)),
]
JSON = {"Content-Type": "application/json"}
Row = dict[str, Any]


@pytest.fixture(scope="module")
def connection(
    postgres_environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Any]:
    """The owner's connection to a database with many predictions."""
    csv = tmp_path_factory.mktemp("data") / "data.csv"
    csv.write_text(
        "Experiment Name,Learning Rate,Momentum,Loss\n"
        'alpha,0.1,0,"{""Step"": [1], ""Value"": [1]}"\nbad,many,0,\n,0.1,0,\n'
    )
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {
            **postgres_environment,
            "DATA_CSV": str(csv),
            "DATA_DIR": str(csv.parent / "none"),
        }.items():
            patch.setenv(name, value)
        set_up(db_settings(os.environ))
        owner = psycopg2.connect("", cursor_factory=RealDictCursor)
        owner.autocommit = True
        _generate(owner)
        patch.setenv("PGUSER", "mlops_app")
        patch.setenv("PGPASSWORD", "pass123")
        yield owner
        owner.close()


def _generate(owner: Any) -> None:
    chance = random.Random(1)
    versions = {key: str(uuid.uuid4()) for key in VERSIONS}
    images = [uuid.UUID(int=chance.getrandbits(128)).hex + "0" * 32 for _ in range(COUNT // 2)]
    with owner.cursor() as cursor:
        execute_values(
            cursor,
            "INSERT INTO model_versions (id, experiment_name, version, digest, format, task,"
            " classes, input, output, status, first_seen_at, status_since) VALUES %s",
            [
                (
                    id_,
                    *key,
                    "d",
                    "litert",
                    "mnist",
                    list("0123456789"),
                    "{}",
                    "logits",
                    "READY",
                    START,
                    START,
                )
                for key, id_ in versions.items()
            ],
        )
        execute_values(
            cursor,
            "INSERT INTO images (id, digest, width, height, bytes, media_type, ink_share, mean,"
            " border, first_seen_at) VALUES %s",
            [
                (digest[:32], digest, 28, 28, 300, "image/png", 0.2, 40, 0, START)
                for digest in images
            ],
            page_size=1000,
        )
        rows = []
        probabilities = [0.1] * 10
        for number in range(COUNT):
            version = VERSIONS[0] if number < COUNT // 2 else chance.choice(VERSIONS[1:])
            # Times repeat, and are not sorted.
            at = START + timedelta(seconds=chance.randrange(COUNT // 8))
            label = (
                str(int(images[number % len(images)][0], 16) % 10)
                if chance.random() < 0.98
                else chance.choice("0123456789")
            )
            rows.append(
                (
                    str(uuid.UUID(int=chance.getrandbits(128))),
                    images[number % len(images)][:32],
                    versions[version],
                    "mnist",
                    label,
                    0.9,
                    probabilities,
                    at,
                    at,
                )
            )
        execute_values(
            cursor,
            "INSERT INTO predictions (id, image_id, model_version_id, task, label, confidence,"
            " probabilities, created_at, last_event_at) VALUES %s",
            rows,
            page_size=5000,
        )
        execute_values(
            cursor,
            "INSERT INTO labels (image_id, task, label, labelled_by) VALUES %s",
            [
                (digest[:32], "mnist", chance.choice("0123"), "ann")
                for digest in chance.sample(images, 300)
            ],
        )
        cursor.execute("ANALYZE")


@pytest.fixture(scope="module")
def rows(connection: Any) -> list[Row]:
    """Every prediction, newest first, to be filtered in Python."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT p.id::text, p.created_at, m.experiment_name, m.version, p.label, p.disagrees,"
            " p.true_label FROM predictions p JOIN model_versions m ON m.id = p.model_version_id"
        )
        found: list[Row] = [dict(row) for row in cursor.fetchall()]
    return sorted(found, key=lambda row: (row["created_at"], uuid.UUID(row["id"])), reverse=True)


@pytest.fixture(scope="module")
def client(connection: Any, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    assert connection
    folder = tmp_path_factory.mktemp("api")
    name = "mnist_experiment_1__softmax_regression"
    shutil.copytree(SHIPPED / name, folder / "models" / name)
    variables = {
        "MODELS_DIR": "models",
        "COMPILED_DIR": "compiled",
        "JOURNAL_DIR": "journal",
        "IMAGES_URL": "images",
    }
    settings = from_environment(
        {variable: str(folder / path) for variable, path in variables.items()}
    )
    with TestClient(create_app(settings), raise_server_exceptions=False) as running:
        wait_until_ready(running)
        running.images = folder / "images"
        yield running


def matches(row: Row, filters: dict[str, Any]) -> bool:
    name, _, version = str(filters.get("experiment_name", row["experiment_name"])).partition("@")
    wrong = None if row["true_label"] is None else row["true_label"] != row["label"]
    return all(
        (
            row["experiment_name"] == name,
            not version or row["version"] == int(version),
            row["label"] == filters.get("class", row["label"]),
            "since" not in filters or row["created_at"] >= datetime.fromisoformat(filters["since"]),
            "until" not in filters or row["created_at"] < datetime.fromisoformat(filters["until"]),
            filters.get("disagreement", str(row["disagrees"]).lower())
            == str(row["disagrees"]).lower(),
            "corrected" not in filters
            or (filters["corrected"] == "true") == (row["true_label"] is not None),
            "wrong" not in filters or wrong == (filters["wrong"] == "true"),
        )
    )


def pages(client: TestClient, limit: int, **filters: Any) -> Iterator[list[str]]:
    cursor: str | None = ""
    while cursor is not None:
        position = {"cursor": cursor} if cursor else {}
        response = client.get(f"{BASE}/predictions", params={**filters, **position, "limit": limit})
        assert response.status_code == 200, response.text
        yield [item["prediction_id"] for item in response.json()["predictions"]]
        cursor = response.json()["next"]


CHOICES: dict[str, list[str]] = {
    "experiment_name": ["alpha", "alpha@2", "rare3", "unknown"],
    "class": ["4"],
    "since": ["2026-01-01T00:10:00Z"],
    "until": ["2026-01-01T00:30:00.5+00:00"],
    "disagreement": ["true", "false"],
    "corrected": ["true", "false"],
    "wrong": ["true", "false"],
}
SINGLE = [{name: value} for name, values in CHOICES.items() for value in values]
PAIRS = [
    {**first, **second}
    for first, second in itertools.combinations(SINGLE, 2)
    if first.keys() != second.keys()
]
TRIPLES = [
    {"experiment_name": name, "class": "4", other: value, "since": CHOICES["since"][0]}
    for name in ("alpha", "alpha@1")
    for other in ("disagreement", "corrected", "wrong")
    for value in ("true", "false")
]


@pytest.mark.slow
def test_every_filter_agrees_with_a_filter_in_python(client: TestClient, rows: list[Row]) -> None:
    differing = []
    for filters in [{}, *SINGLE, *PAIRS, *TRIPLES]:
        expected = [row["id"] for row in rows if matches(row, filters)]
        first, *more = itertools.islice(pages(client, 40, **filters), 2)
        if first + [row for page in more for row in page] != expected[:80]:
            differing.append(filters)
    assert differing == []


@pytest.mark.parametrize(
    "filters",
    [{"experiment_name": "rare3"}, {"disagreement": "true", "class": "4"}, {"wrong": "true"}],
    ids=str,
)
def test_pages_have_every_row_once_and_in_order(
    client: TestClient, rows: list[Row], filters: dict[str, str]
) -> None:
    expected = [row["id"] for row in rows if matches(row, filters)]
    assert len(expected) > 50
    assert [row for page in pages(client, 7, **filters) for row in page] == expected


def test_row_added_between_pages_shifts_nothing(client: Any, connection: Any) -> None:
    walk = pages(client, 10, experiment_name="beta")
    before = [next(walk), next(walk)]
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO predictions SELECT gen_random_uuid(), i.id, m.id, 'mnist', '1', 0.9,"
            " array_fill(0.1::real, '{10}'), %s, 0, %s, false, NULL FROM images i, model_versions m"
            " WHERE experiment_name = 'beta' AND NOT EXISTS (SELECT FROM predictions p"
            " WHERE p.image_id = i.id AND p.model_version_id = m.id) LIMIT 1 RETURNING id::text",
            [START + timedelta(days=9)] * 2,
        )
        added = cursor.fetchall()[0]["id"]
        after = next(walk)
        cursor.execute("DELETE FROM predictions WHERE id = %s", [added])
    assert [*before, after] == list(itertools.islice(pages(client, 10, experiment_name="beta"), 3))


@pytest.mark.parametrize(
    ("parameter", "value"),
    [
        ("cursor", "x"),
        ("cursor", ""),
        ("cursor", "A" * 33),
        ("cursor", "A" * 31 + "é"),
        ("cursor", "f" * 32),
        ("since", "yesterday"),
        ("since", "2026-01-01"),
        ("until", "2026-13-01T00:00:00Z"),
        ("until", "2026-01-01T00:00:00"),
        ("until", "0001-01-01T00:00:00+14:00"),
        ("since", "2026-01-01T00:00:60Z"),
        ("experiment_name", "a b"),
        ("experiment_name", "a@champion"),
        ("experiment_name", "a@"),
        ("class", "\x00"),
        ("class", ""),
    ],
)
def test_invalid_value_is_refused_with_its_path(
    client: TestClient, parameter: str, value: str
) -> None:
    response = client.get(f"{BASE}/predictions", params={parameter: value})
    assert (
        response.status_code,
        [fault["path"] for fault in response.json().get("errors", [])],
    ) == (400, [parameter]), response.text


@pytest.mark.parametrize(
    ("parameter", "value", "rule"),
    [
        ("limit", "0", "a whole number from 1 to 500"),
        ("limit", "501", "a whole number from 1 to 500"),
        ("limit", "many", "a whole number from 1 to 500"),
        ("disagreement", "1", "true or false"),
        ("corrected", "", "true or false"),
    ],
)
def test_invalid_parameter_is_named_with_its_rule(
    client: TestClient, parameter: str, value: str, rule: str
) -> None:
    response = client.get(f"{BASE}/predictions", params={parameter: value})
    detail = f"The query parameter {parameter} must be {rule}."
    assert (response.status_code, response.json()["errors"]) == (
        400,
        [{"path": parameter, "message": detail}],
    )


def filter_id(criteria: Filter) -> str:
    """Return the name of a test case."""
    values = [f"{name}={value}" for name, value in vars(criteria).items() if value is not None]
    return ",".join(values) or "none"


@pytest.mark.parametrize(
    "criteria",
    [
        Filter(),
        Filter("alpha"),
        Filter("alpha", 2),
        Filter("rare3"),
        Filter(label="4"),
        Filter("alpha", label="4"),
        Filter(since=START),
        Filter(until=START + timedelta(minutes=5)),
        Filter(disagreement=True),
        Filter(disagreement=False),
        Filter(corrected=True),
        Filter(corrected=False),
        Filter(wrong=True),
        Filter(wrong=False),
        Filter("alpha", disagreement=True),
        Filter("alpha", corrected=True),
        Filter("alpha", wrong=True),
        Filter("alpha", 1, "4", START, START + timedelta(hours=1)),
    ],
    ids=filter_id,
)
def test_no_filter_scans_all_predictions(connection: Any, criteria: Filter) -> None:
    with connection.cursor() as cursor:
        for before in (None, (START + timedelta(minutes=20), str(uuid.uuid4()))):
            cursor.execute(*_explain(criteria, before))
            plan = "\n".join(row["QUERY PLAN"] for row in cursor.fetchall())
            assert "Seq Scan on predictions" not in plan, plan


def _explain(criteria: Filter, before: tuple[datetime, str] | None) -> tuple[str, dict[str, Any]]:
    statement, arguments = page_query(criteria, 51, before)
    return f"EXPLAIN {statement}", arguments


def test_prediction_has_image_labels_and_latest_events(
    client: Any, connection: Any, rows: list[Row]
) -> None:
    prediction = next(
        row["id"] for row in rows if row["true_label"] is None and row["experiment_name"] == "rare5"
    )
    with connection.cursor() as cursor:
        cursor.execute(
            "INSERT INTO prediction_events (id, at, prediction_id, milliseconds, cached,"
            " request_id, source) SELECT gen_random_uuid(), now() - n * interval '1 second', %s, n,"
            " n < 25, 'run-' || n, NULL FROM generate_series(1, 25) AS n",
            [prediction],
        )
    item = client.get(f"{BASE}/predictions/{prediction.upper()}").json()
    assert (item["prediction_id"], item["events"], list(item["probabilities"])) == (
        prediction,
        25,
        list("0123456789"),
    )
    assert [event["request_id"] for event in item["latest_events"]] == [
        f"run-{n}" for n in range(1, 21)
    ]
    assert (item["image"]["digest"], item["image"]["width"], item["labels"]) == (
        item["image_digest"],
        28,
        [],
    )
    for label, replaces in (("4", None), ("9", "4")):
        body = {"label": label, "labelled_by": "ann", "replaces": replaces}
        assert client.put(f"{BASE}/predictions/{prediction}/label", json=body).status_code == 200
    item = client.get(f"{BASE}/predictions/{prediction}").json()
    assert [(label["label"], label["replaced_at"] is None) for label in item["labels"]] == [
        ("9", True),
        ("4", False),
    ]
    assert item["true_label"] == "9"


@pytest.mark.parametrize(
    ("warning", "detail"),
    [
        ("no digit found", "The service found no digit in the image, so it takes no label. "),
        ("several digits (2)", "The image has several digits, so one label does not describe it. "),
    ],
)
def test_warned_image_shows_its_warning_and_takes_no_label(
    client: TestClient, connection: Any, rows: list[Row], warning: str, detail: str
) -> None:
    row = next(
        row for row in rows if row["true_label"] is None and row["experiment_name"] == "rare7"
    )
    update = (
        "UPDATE images SET warnings = %s FROM predictions p"
        " WHERE images.id = p.image_id AND p.id = %s"
    )
    path = f"{BASE}/predictions/{row['id']}"
    assert client.get(path).json()["warnings"] == []
    with connection.cursor() as cursor:
        cursor.execute(update, [[warning], row["id"]])
    try:
        page = client.get(f"{BASE}/predictions?experiment_name=rare7&limit=500").json()
        [item] = [item for item in page["predictions"] if item["prediction_id"] == row["id"]]
        for shown in (item, client.get(path).json()):
            assert (shown["warnings"], shown["disagrees"]) == ([warning], False)
        refused = client.put(f"{path}/label", json={"label": "4", "labelled_by": "ann"})
    finally:
        with connection.cursor() as cursor:
            cursor.execute(update, [[], row["id"]])
    assert (refused.status_code, refused.headers["content-type"]) == (
        409,
        "application/problem+json",
    )
    assert refused.json()["type"] == "urn:mlops:problem:unlabelable-image"
    assert refused.json()["detail"].startswith(detail)


def test_unknown_prediction_gets_404_and_a_bad_id_400(client: TestClient) -> None:
    assert client.get(f"{BASE}/predictions/{uuid.uuid4()}").status_code == 404
    assert client.get(f"{BASE}/predictions/nothing").json()["errors"][0]["path"] == "prediction_id"


def test_label_is_never_overwritten_silently(client: TestClient, rows: list[Row]) -> None:
    prediction = next(
        row["id"] for row in rows if row["true_label"] is None and row["experiment_name"] == "rare6"
    )

    def put(**body: object) -> tuple[int, Any]:
        response = client.put(f"{BASE}/predictions/{prediction}/label", json=body)
        return response.status_code, response.json()

    status, stored = put(label="4", labelled_by="ann")
    assert (
        status,
        stored["label"],
        stored["labelled_by"],
        stored["task"],
        stored["prediction_id"],
    ) == (
        200,
        "4",
        "ann",
        "mnist",
        prediction,
    )
    assert put(label="4", labelled_by="bob") == (200, stored)
    status, problem = put(label="9", labelled_by="bob")
    assert (status, problem["type"], "has the label 4" in problem["detail"]) == (
        409,
        "urn:mlops:problem:label-conflict",
        True,
    )
    assert put(label="9", labelled_by="bob", replaces="7")[0] == 409
    status, replaced = put(label="9", labelled_by="bob", replaces="4")
    assert (status, replaced["label"], replaced["labelled_by"]) == (200, "9", "bob")
    status, problem = put(label="x", labelled_by="bob")
    assert (status, problem["errors"][0]["path"], "0, 1, 2" in problem["detail"]) == (
        422,
        "label",
        True,
    )


@pytest.mark.parametrize(
    ("body", "path"),
    [
        ({}, "label"),
        ({"label": "4"}, "labelled_by"),
        ({"label": 4, "labelled_by": "a"}, "label"),
        ([], ""),
        ({"label": "4", "labelled_by": ""}, "labelled_by"),
        ({"label": "4", "labelled_by": "a" * 101}, "labelled_by"),
        ({"label": "4", "labelled_by": "a\x00"}, "labelled_by"),
        ({"label": "4", "labelled_by": "\ud800"}, "labelled_by"),
        ({"label": "4", "labelled_by": "   "}, "labelled_by"),
        ({"label": "4" * 65, "labelled_by": "a"}, "label"),
        ({"label": "4", "labelled_by": "a", "replaces": 9}, "replaces"),
        ({"label": "4", "labelled_by": "a", "more": 1}, ""),
    ],
)
def test_invalid_label_is_refused_with_its_path(
    client: TestClient, body: object, path: str
) -> None:
    response = client.put(
        f"{BASE}/predictions/{uuid.uuid4()}/label", content=json.dumps(body), headers=JSON
    )
    assert (response.status_code, response.json()["errors"][0]["path"]) == (400, path)


def test_label_waits_briefly_for_its_prediction(connection: Any, rows: list[Row]) -> None:
    database = Database()
    unknown = str(uuid.uuid4())
    with pytest.raises(UnknownPredictionError):
        History(database, lambda: 0).label(unknown, "4", "ann", None)
    with pytest.raises(NotYetStoredError):
        History(database, lambda: 1).label(unknown, "4", "ann", None)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT * FROM predictions WHERE id = %s",
            [next(row["id"] for row in rows if row["experiment_name"] == "rare7")],
        )
        row = dict(cursor.fetchall()[0])
        del row["number"]  # Postgres gives another one
        cursor.execute("DELETE FROM predictions WHERE id = %s", [row["id"]])
    calls = itertools.count()

    def pending() -> int:
        if next(calls) == 3:  # it arrives while the label waits
            with connection.cursor() as cursor:
                execute_values(
                    cursor,
                    f"INSERT INTO predictions ({', '.join(row)}) VALUES %s",
                    [tuple(row.values())],
                )
        return 1

    label = row["true_label"] or "4"
    assert History(database, pending).label(row["id"], label, "ann", None)["label"] == label
    with pytest.raises(LabelConflictError):
        History(database, pending).label(row["id"], "9", "ann", "8")
    database.close()


def test_imports_have_latest_files_and_pages_of_rejects(client: TestClient) -> None:
    first = client.get(f"{BASE}/imports", params={"limit": 1}).json()
    second = client.get(f"{BASE}/imports", params={"limit": 1, "cursor": first["next"]}).json()
    [latest] = first["imports"]
    assert (latest["file"], latest["rows_added"], latest["rows_rejected"], latest["error"]) == (
        "data.csv",
        1,
        2,
        None,
    )
    assert [
        (page["rejects"][0]["line"], page["rejects"][0]["file"]) for page in (first, second)
    ] == [
        (3, "data.csv"),
        (4, "data.csv"),
    ]
    assert (first["next"], second["next"]) == (first["rejects"][0]["id"], None)


def test_original_is_served_until_it_is_deleted(
    client: Any, connection: Any, rows: list[Row]
) -> None:
    storage = open_store(str(client.images))
    digest = client.get(f"{BASE}/predictions/{rows[0]['id']}").json()["image_digest"]
    png = digit_png("7")

    def change(assignments: str, *arguments: object) -> None:
        with connection.cursor() as cursor:
            cursor.execute(
                f"UPDATE images SET {assignments} WHERE digest = %s", [*arguments, digest]
            )

    def problem() -> tuple[int, str]:
        response = client.get(f"{BASE}/images/{digest}")
        return response.status_code, response.json()["detail"]

    assert problem() == (
        404,
        "The original of this image is not stored. Its digest and statistics are in the database.",
    )
    change("original_url = %s, stored_at = now()", storage.put(f"{digest[:2]}/{digest}.png", png))
    response = client.get(f"{BASE}/images/{digest}")
    assert (response.status_code, response.content, response.headers["Content-Type"]) == (
        200,
        png,
        "image/png",
    )
    assert response.headers["X-Content-Type-Options"] == "nosniff"
    assert response.headers["Cache-Control"] == "private, max-age=86400, immutable"
    storage.delete([f"{digest[:2]}/{digest}.png"])
    assert "missing in the store" in problem()[1]
    change("original_url = NULL, stored_at = NULL, deleted_at = '2026-02-03T04:05:06Z'")
    assert "deleted at 2026-02-03T04:05:06.000000Z" in problem()[1]
    assert client.get(f"{BASE}/images/{'0' * 64}").status_code == 404
    assert client.get(f"{BASE}/images/..").status_code in (400, 404)


def test_operations_without_postgres_get_503(
    client: TestClient, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    assert client
    monkeypatch.setenv("PGHOST", str(tmp_path))
    settings = from_environment(
        {
            "MODELS_DIR": str(tmp_path),
            "COMPILED_DIR": str(tmp_path / "c"),
            "JOURNAL_DIR": str(tmp_path / "j"),
        }
    )
    with TestClient(create_app(settings), raise_server_exceptions=False) as alone:
        label = {"label": "4", "labelled_by": "ann"}
        answers = [
            *(
                alone.get(BASE + path)
                for path in (
                    "/predictions",
                    f"/predictions/{uuid.uuid4()}",
                    "/aliases",
                    "/aliases/mnist/champion",
                )
            ),
            *(alone.get(BASE + path) for path in ("/imports", f"/images/{'0' * 64}")),
            alone.put(f"{BASE}/predictions/{uuid.uuid4()}/label", json=label),
            alone.post(
                f"{BASE}/aliases/mnist/champion/rollback", json={"reason": "r", "moved_by": "ann"}
            ),
        ]
    assert [(answer.status_code, "Retry-After" in answer.headers) for answer in answers] == [
        (503, True)
    ] * len(answers)
