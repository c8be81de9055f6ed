"""Queries of the History page on a real database, against the same filters in Python."""

import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import psycopg2
import pytest
from sqlalchemy import Engine, create_engine, text

from tests.support.learning_rows import digest
from web.data.tracking.accuracy_queries import read_accuracy
from web.data.tracking.history_queries import (
    count_matches,
    page_query,
    read_answers,
    read_choices,
    read_page,
    read_prediction,
)
from web.data.tracking.history_types import Cursor, HistoryFilter

START = datetime(2026, 5, 1, tzinfo=UTC)
IMAGES = 60
# Name, version and task. The first two vote on the same images.
VERSIONS = (("lenet", 1, "mnist"), ("lenet", 2, "mnist"), ("mlp", 1, "mnist"), ("odd", 1, "parity"))
LABELS = ("4", "9")


@dataclass(frozen=True)
class Row:
    """Expected prediction."""

    image: int
    name: str
    version: int
    task: str
    at: datetime
    label: str
    confidence: float
    true_label: str | None
    disagrees: bool
    source: str
    is_warned: bool


def expected_rows() -> list[Row]:
    """Return all predictions: every third image is labeled, every fifth has a warning."""
    rows = []
    for image in range(IMAGES):
        is_warned = image % 5 == 0
        for number, (name, version, task) in enumerate(VERSIONS):
            # Two versions answer in the same instant.
            at = START + timedelta(minutes=image, seconds=number // 2)
            is_odd_answer = name == "mlp" and image % 4 == 0
            label = LABELS[(image + is_odd_answer) % 2]
            true_label = LABELS[image % 2] if image % 3 == 0 and not is_warned else None
            confidence = (image * 7 % 10) / 10
            is_disputed = image % 4 == 0 and task == "mnist" and not is_warned
            rows.append(
                Row(
                    *(image, name, version, task, at, label, confidence),
                    None if task == "parity" else true_label,
                    is_disputed,
                    "curl" if image % 2 else "web",
                    is_warned,
                )
            )
    return rows


ROWS = expected_rows()


def fill(connection: psycopg2.extensions.connection) -> None:
    """Store the rows. The triggers are off, as the summaries are not what these tests read."""
    with connection.cursor() as cursor:
        cursor.execute("SET session_replication_role = replica")
        for name, version, task in VERSIONS:
            cursor.execute(
                "INSERT INTO model_versions (id, experiment_name, version, digest, format, task,"
                " classes, input, output, status, first_seen_at, status_since) VALUES"
                " (md5(%s)::uuid, %s, %s, 'd', 'litert', %s, '{4,9}', '{}', 'probabilities',"
                " 'READY', now(), now())",
                [f"{name}@{version}", name, version, task],
            )
        for image in range(IMAGES):
            key = digest(f"image {image}")
            warnings = ["no digit found"] if image % 5 == 0 else []
            cursor.execute(
                "INSERT INTO images (id, digest, width, height, bytes, media_type, ink_share, mean,"
                " border, first_seen_at, warnings) VALUES (left(%s, 32)::uuid, %s, 28, 28, 9,"
                " 'image/png', 0.1, 9, 0, %s, %s)",
                [key, key, START, warnings],
            )
            if image % 2:
                cursor.execute(
                    "INSERT INTO image_pixels (image_id, pixels) VALUES (left(%s, 32)::uuid, %s)",
                    [key, bytes([image]) * 784],
                )
        cursor.execute("SELECT make_events_partition(%s)", [START])
        for row in ROWS:
            cursor.execute(
                "INSERT INTO predictions (id, image_id, model_version_id, task, label, confidence,"
                " probabilities, created_at, last_event_at, disagrees, true_label) VALUES"
                " (gen_random_uuid(), left(%s, 32)::uuid, md5(%s)::uuid, %s, %s, %s, '{0.1,0.9}',"
                " %s, %s, %s, %s) RETURNING id",
                [
                    *(digest(f"image {row.image}"), f"{row.name}@{row.version}", row.task),
                    *(row.label, row.confidence, row.at, row.at, row.disagrees, row.true_label),
                ],
            )
            [prediction] = cursor.fetchone() or [None]
            for delay, source in ((0, row.source), (3600, "later")):
                cursor.execute(
                    "INSERT INTO prediction_events (id, at, prediction_id, milliseconds, cached,"
                    " request_id, source) VALUES (gen_random_uuid(), %s, %s, 1, false, 'r', %s)",
                    [row.at + timedelta(seconds=delay), prediction, source],
                )
        cursor.execute("ANALYZE predictions")
    connection.commit()


@pytest.fixture(scope="module")
def engine(module_database: dict[str, str]) -> Iterator[Engine]:
    host, port, name, user, password = (
        module_database[key] for key in ("PGHOST", "PGPORT", "PGDATABASE", "PGUSER", "PGPASSWORD")
    )
    with closing(
        psycopg2.connect(host=host, port=int(port), dbname=name, user=user, password=password)
    ) as connection:
        fill(connection)
    engine = create_engine(f"postgresql+psycopg2://mlops_web:pass123@{host}:{port}/{name}")
    yield engine
    engine.dispose()


def read_all(engine: Engine, criteria: HistoryFilter) -> list[tuple[str, str, int]]:
    """Return all matching predictions over the pages: image, experiment, version."""
    found = []
    before: Cursor | None = None
    while True:
        page = read_page(engine, criteria, 7, before)
        found += [(one.image_digest, one.experiment, one.version) for one in page.predictions]
        if page.next is None:
            return found
        assert len(page.predictions) == 7
        before = page.next


Test = Callable[[Row], bool]
LATE = START + timedelta(minutes=30)
CASES: list[tuple[HistoryFilter, Test]] = [
    (HistoryFilter(), lambda _: True),
    (HistoryFilter(task="parity"), lambda row: row.task == "parity"),
    (HistoryFilter(experiment="lenet"), lambda row: row.name == "lenet"),
    (
        HistoryFilter(experiment="lenet", version=2),
        lambda row: (row.name, row.version) == ("lenet", 2),
    ),
    (HistoryFilter(experiment="nobody"), lambda _: False),
    (HistoryFilter(label="4"), lambda row: row.label == "4"),
    (HistoryFilter(true_label="9"), lambda row: row.true_label == "9"),
    (HistoryFilter(is_labeled=True), lambda row: row.true_label is not None),
    (HistoryFilter(is_wrong=True), lambda row: row.true_label not in (None, row.label)),
    (HistoryFilter(disagrees=True), lambda row: row.disagrees),
    (HistoryFilter(below=0.6), lambda row: row.confidence < 0.6),
    (HistoryFilter(since=LATE), lambda row: row.at >= LATE),
    (HistoryFilter(until=LATE), lambda row: row.at < LATE),
    (HistoryFilter(source="curl"), lambda row: row.source == "curl"),
    (HistoryFilter(source="later"), lambda _: False),
    (HistoryFilter(has_warning=True), lambda row: row.is_warned),
    (
        HistoryFilter(experiment="mlp", is_wrong=True),
        lambda row: row.name == "mlp" and row.true_label not in (None, row.label),
    ),
    (
        HistoryFilter(experiment="lenet", label="4", below=0.6, source="web"),
        lambda row: (
            (row.name, row.label, row.source) == ("lenet", "4", "web") and row.confidence < 0.6
        ),
    ),
    (
        HistoryFilter(experiment="mlp", has_warning=True, label="9"),
        lambda row: row.name == "mlp" and row.is_warned and row.label == "9",
    ),
    (
        HistoryFilter(source="web", since=LATE, is_wrong=True),
        lambda row: (
            row.source == "web" and row.at >= LATE and row.true_label not in (None, row.label)
        ),
    ),
    (
        HistoryFilter(has_warning=True, source="curl", task="mnist"),
        lambda row: row.is_warned and row.source == "curl" and row.task == "mnist",
    ),
]


def case_id(value: object) -> str:
    if not isinstance(value, HistoryFilter):
        return ""
    default = vars(HistoryFilter())
    changed = [key for key, one in vars(value).items() if one != default[key]]
    return "+".join(changed) or "all"


@pytest.mark.parametrize(("criteria", "matches"), CASES, ids=case_id)
def test_pages_have_exactly_what_matches(
    engine: Engine, criteria: HistoryFilter, matches: Test
) -> None:
    expected = [
        (digest(f"image {row.image}"), row.name, row.version) for row in ROWS if matches(row)
    ]
    found = read_all(engine, criteria)
    assert sorted(found) == sorted(expected)
    assert len(set(found)) == len(found)
    assert count_matches(engine, criteria) == len(expected)


def test_predictions_are_newest_first_with_pixels(engine: Engine) -> None:
    page = read_page(engine, HistoryFilter(), 20)
    times = [(one.created_at, one.prediction_id) for one in page.predictions]
    assert times == sorted(times, reverse=True)
    newest = page.predictions[0]
    assert read_prediction(engine, newest.prediction_id) == newest
    assert read_prediction(engine, str(uuid.UUID(int=0))) is None
    assert newest.pixels == bytes([IMAGES - 1]) * 784
    assert newest.classes == LABELS
    assert {one.pixels for one in page.predictions if one.image_digest == digest("image 58")} == {
        None
    }


@pytest.mark.parametrize(
    "criteria",
    [
        HistoryFilter(is_once=True, task="mnist"),
        HistoryFilter(is_once=True, is_wrong=True),
        HistoryFilter(is_once=True, below=0.6, task="mnist"),
        HistoryFilter(is_once=True, has_warning=True, task="mnist"),
    ],
    ids=case_id,
)
def test_each_image_appears_once(engine: Engine, criteria: HistoryFilter) -> None:
    found = [image for image, _, _ in read_all(engine, criteria)]
    every = HistoryFilter(**{**vars(criteria), "is_once": False})
    assert len(found) == len(set(found))
    assert set(found) == {image for image, _, _ in read_all(engine, every)}


@pytest.mark.parametrize(
    "criteria", [one for one, _ in CASES if not one.has_warning and one.source is None], ids=case_id
)
@pytest.mark.parametrize("is_once", [False, True])
def test_no_filter_scans_all_predictions(
    engine: Engine, criteria: HistoryFilter, *, is_once: bool
) -> None:
    """The table is small, so the planner must not use what a large one would not."""
    wanted = HistoryFilter(**{**vars(criteria), "is_once": is_once})
    statement, arguments = page_query(wanted, 49, Cursor(LATE, "0" * 32))
    with engine.connect() as connection:
        connection.execute(text("SET enable_seqscan = off"))
        plan = "\n".join(connection.execute(text(f"EXPLAIN {statement}"), arguments).scalars())
    assert "Seq Scan on predictions" not in plan, plan


def test_all_answers_to_an_image_are_of_its_task(engine: Engine) -> None:
    [odd] = read_page(engine, HistoryFilter(experiment="odd"), 1).predictions
    assert [one.experiment for one in read_answers(engine, odd.prediction_id)] == ["odd"]
    [other] = read_page(engine, HistoryFilter(experiment="mlp"), 1).predictions
    assert {(one.experiment, one.version) for one in read_answers(engine, other.prediction_id)} == {
        ("lenet", 1),
        ("lenet", 2),
        ("mlp", 1),
    }


def test_choices_are_by_task(engine: Engine) -> None:
    choices = read_choices(engine)
    assert choices.classes == {"mnist": LABELS, "parity": LABELS}
    assert choices.versions["mnist"] == (("lenet", 2), ("lenet", 1), ("mlp", 1))
    assert set(choices.sources) == {"curl", "web", "later"}


def test_accuracy_is_by_version_and_class(module_database: dict[str, str], engine: Engine) -> None:
    host, port, name, user, password = (
        module_database[key] for key in ("PGHOST", "PGPORT", "PGDATABASE", "PGUSER", "PGPASSWORD")
    )
    with (
        closing(
            psycopg2.connect(host=host, port=int(port), dbname=name, user=user, password=password)
        ) as connection,
        connection,
        connection.cursor() as cursor,
    ):
        cursor.execute(
            "INSERT INTO confusion_counts (model_version_id, true_label, predicted_label, images)"
            " SELECT md5('lenet@2')::uuid, t, p, n"
            " FROM (VALUES ('4', '4', 8), ('4', '9', 1), ('9', '9', 1)) AS c (t, p, n)"
        )
    live = read_accuracy(engine)
    [version] = live.versions.to_dict("records")
    assert (version["experiment_name"], version["version"]) == ("lenet", 2)
    assert (version["images"], version["correct"]) == (10, 9)
    assert live.classes[["true_label", "images", "correct"]].to_numpy().tolist() == [
        ["4", 9, 8],
        ["9", 1, 1],
    ]
