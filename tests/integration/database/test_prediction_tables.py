"""Prediction tables by SQL alone: summaries, labels, aliases, partitions and privileges."""

import hashlib
import os
import shutil
import threading
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg2
import psycopg2.errors
import psycopg2.extensions
import pytest

from db.initialize import set_up
from db.schema.migrate import MIGRATIONS, migrate
from db.settings import from_environment
from tests.support.database import apply_migrations, connect

VERSIONS = {name: str(uuid.uuid5(uuid.NAMESPACE_OID, name)) for name in ("slow", "fast")}
Query = Callable[..., list[Any]]


@pytest.fixture
def environment(
    empty_database: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, str]]:
    """A database that is set up with two experiments."""
    csv = tmp_path_factory.mktemp("data") / "data.csv"
    csv.write_text(
        "Experiment Name,Learning Rate,Momentum,Loss\n"
        + "".join(
            f'{name},{rate},0,"{{""Step"": [1], ""Value"": [1]}}"\n'
            for name, rate in (("slow", 0.001), ("fast", 0.5))
        )
    )
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {
            **empty_database,
            "DATA_CSV": str(csv),
            "DATA_DIR": str(csv.parent / "none"),
        }.items():
            patch.setenv(name, value)
        set_up(from_environment(os.environ))
        yield empty_database


@pytest.fixture
def query(environment: dict[str, str]) -> Iterator[Query]:
    """A function that runs a statement as the owner, with one model version per experiment.

    It returns rows, or values if there is one column.
    """
    connection = connect(environment)
    connection.autocommit = True

    def run(statement: str, *arguments: object) -> list[Any]:
        return execute(connection, statement, *arguments)

    add_versions(run)
    yield run
    connection.close()


def execute(
    connection: psycopg2.extensions.connection, statement: str, *arguments: object
) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(statement, arguments)
        rows = cursor.fetchall() if cursor.description else []
    return [row[0] if len(row) == 1 else row for row in rows]


def add_versions(query: Query) -> None:
    for name, version in VERSIONS.items():
        query(
            "INSERT INTO model_versions (id, experiment_name, version, format, task, classes,"
            " input, output, status, first_seen_at, status_since)"
            " VALUES (%s, %s, 1, 'litert', 'mnist', '{4,9}', '{}', 'probabilities', 'READY',"
            " now(), now())",
            version,
            name,
        )


def add_image(query: Query, name: str, digest: str = "") -> str:
    digest = digest or hashlib.sha256(name.encode()).hexdigest()
    query(
        "INSERT INTO images (id, digest, width, height, bytes, media_type, ink_share, mean, border,"
        " first_seen_at)"
        " VALUES (left(%s, 32)::uuid, %s, 28, 28, 300, 'image/png', 0.2, 40, 0, now())"
        " ON CONFLICT DO NOTHING",
        digest,
        digest,
    )
    return str(uuid.UUID(digest[:32]))


def predict(query: Query, image: str, version: str, label: str) -> str:
    prediction = str(uuid.uuid4())
    query(
        "INSERT INTO predictions (id, image_id, model_version_id, task, label, confidence,"
        " probabilities, created_at, last_event_at)"
        " VALUES (%s, %s, %s, 'mnist', %s, 0.9, '{0.9,0.1}', now(), now())",
        prediction,
        image,
        VERSIONS[version],
        label,
    )
    return prediction


def label(query: Query, prediction: str, value: str, replaces: str | None = None) -> str:
    return str(
        query(
            "SELECT outcome FROM label_prediction(%s, %s, 'ann', %s)", prediction, value, replaces
        )[0]
    )


CONFUSION = (
    "SELECT experiment_name, true_label, predicted_label, images FROM confusion ORDER BY 1, 2, 3"
)


def test_label_counts_earlier_and_later_predictions(query: Query) -> None:
    image = add_image(query, "a")
    first = predict(query, image, "slow", "9")
    assert label(query, first, "4") == "stored"
    predict(query, image, "fast", "4")
    assert query(CONFUSION) == [("fast", "4", "4", 1), ("slow", "4", "9", 1)]


def test_changed_label_updates_counts_and_keeps_old_one(query: Query) -> None:
    prediction = predict(query, add_image(query, "a"), "slow", "9")
    label(query, prediction, "4")
    assert label(query, prediction, "9", replaces="4") == "stored"
    assert query(CONFUSION) == [("slow", "9", "9", 1)]
    assert query("SELECT label, replaced_at IS NULL FROM labels ORDER BY id") == [
        ("4", False),
        ("9", True),
    ]


def warn(query: Query, image: str, warnings: str) -> None:
    query("UPDATE images SET warnings = %s WHERE id = %s", warnings, image)


def test_warned_image_is_in_no_summary_until_it_is_usual(query: Query) -> None:
    image = add_image(query, "a")
    prediction = predict(query, image, "slow", "9")
    predict(query, image, "fast", "4")
    label(query, prediction, "4")
    other = predict(query, add_image(query, "b"), "slow", "4")
    label(query, other, "4")
    warn(query, image, "{several digits (2)}")
    assert query(CONFUSION) == [("slow", "4", "4", 1)]
    assert query("SELECT accuracy FROM live_accuracy") == [1.0]
    assert query("SELECT count(*) FROM disagreements") == [0]
    assert query(
        "SELECT DISTINCT disagrees, true_label, warnings FROM prediction_log WHERE warnings <> '{}'"
    ) == [(False, None, ["several digits (2)"])]
    assert query("SELECT replaced_at IS NULL FROM labels ORDER BY id") == [False, True]
    warn(query, image, "{}")
    assert query("SELECT votes FROM disagreements") == [{"4": 1, "9": 1}]
    assert query("SELECT DISTINCT disagrees FROM predictions WHERE image_id = %s", image) == [True]
    assert label(query, prediction, "9") == "stored"
    assert query(CONFUSION) == [
        ("fast", "9", "4", 1),
        ("slow", "4", "4", 1),
        ("slow", "9", "9", 1),
    ]


def test_predictions_of_a_warned_image_have_no_votes(query: Query) -> None:
    image = add_image(query, "a")
    warn(query, image, "{no digit found}")
    for version, value in (("slow", "9"), ("fast", "4")):
        predict(query, image, version, value)
    assert query("SELECT count(*) FROM image_votes") == [0]
    assert query("SELECT DISTINCT disagrees FROM predictions") == [False]


@pytest.mark.parametrize(
    ("warning", "outcome"),
    [("no digit found", "no digit"), ("several digits (3)", "several digits")],
)
def test_warned_image_takes_no_label(query: Query, warning: str, outcome: str) -> None:
    image = add_image(query, "a")
    warn(query, image, "{%s}" % warning)  # noqa: UP031  # braces
    assert label(query, predict(query, image, "slow", "9"), "9") == outcome
    with pytest.raises(psycopg2.errors.CheckViolation, match="takes no label"):
        query(
            "INSERT INTO labels (image_id, task, label, labelled_by)"
            " VALUES (%s, 'mnist', '1', 'ann')",
            image,
        )
    assert query("SELECT count(*) FROM labels") == [0]


def test_label_with_other_replaces_is_a_conflict(query: Query) -> None:
    prediction = predict(query, add_image(query, "a"), "slow", "9")
    label(query, prediction, "4")
    assert [label(query, prediction, "9"), label(query, prediction, "9", replaces="9")] == [
        "conflict",
        "conflict",
    ]
    assert label(query, prediction, "4") == "unchanged"
    assert query("SELECT label FROM labels") == ["4"]


def test_label_of_unknown_class_or_prediction_is_rejected(query: Query) -> None:
    prediction = predict(query, add_image(query, "a"), "slow", "9")
    assert [label(query, prediction, "7"), label(query, str(uuid.uuid4()), "4")] == [
        "no class",
        "unknown",
    ]


def test_concurrent_labels_and_predictions_are_counted(
    query: Query, environment: dict[str, str]
) -> None:
    images = [add_image(query, str(number)) for number in range(60)]
    firsts = [predict(query, image, "slow", "9") for image in images]

    def run_for_all(action: Callable[[Query, int], object]) -> None:
        connection = connect(environment)
        connection.autocommit = True
        for number in range(len(images)):
            action(lambda statement, *arguments: execute(connection, statement, *arguments), number)
        connection.close()

    threads = [
        threading.Thread(
            target=run_for_all, args=[lambda run, number: label(run, firsts[number], "4")]
        ),
        threading.Thread(
            target=run_for_all, args=[lambda run, number: predict(run, images[number], "fast", "9")]
        ),
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert query(CONFUSION) == [("fast", "4", "9", 60), ("slow", "4", "9", 60)]


def test_different_labels_mark_image_and_predictions(query: Query) -> None:
    image, other = add_image(query, "a"), add_image(query, "b")
    predict(query, image, "slow", "9")
    predict(query, image, "fast", "4")
    predict(query, other, "slow", "4")
    predict(query, other, "fast", "4")
    assert query("SELECT votes, versions FROM disagreements") == [({"4": 1, "9": 1}, 2)]
    assert query("SELECT label FROM predictions WHERE disagrees ORDER BY label") == ["4", "9"]


def test_counts_of_dropped_events_are_kept(
    query: Query,
) -> None:
    prediction = predict(query, add_image(query, "a"), "slow", "9")
    query("SELECT make_events_partition('2025-03-10')")
    statement = (
        "INSERT INTO prediction_events (id, at, prediction_id, milliseconds, cached, request_id)"
        " SELECT ('00000000-0000-7000-8000-00000000000' || n)::uuid, '2025-03-10 10:00:00Z', %s, 2,"
        " n > 1, 'r' FROM generate_series(1, 3) AS n ON CONFLICT DO NOTHING"
    )
    query(statement, prediction)
    query(statement, prediction)  # replayed
    assert query("SELECT events FROM predictions") == [3]
    assert query("SELECT drop_events_before('2025-03-31')") == []
    assert query("SELECT drop_events_before('2025-04-01')") == ["prediction_events_2025_03"]
    assert query("SELECT count(*) FROM prediction_events") == [0]
    assert query(
        "SELECT experiment_name, events, cached, mean_milliseconds FROM traffic_per_minute"
    ) == [("slow", 3, 2, 2.0)]


def test_event_of_unknown_prediction_is_rejected(query: Query) -> None:
    with pytest.raises(psycopg2.errors.ForeignKeyViolation):
        query(
            "INSERT INTO prediction_events"
            " (id, at, prediction_id, milliseconds, cached, request_id)"
            " VALUES (uuidv7(), now(), %s, 2, false, 'r')",
            str(uuid.uuid4()),
        )
    assert query("SELECT count(*) FROM prediction_events") == [0]


def test_confusion_sums_images_by_learning_rate(query: Query) -> None:
    for name in "abc":
        prediction = predict(query, add_image(query, name), "slow", "9")
        predict(query, add_image(query, name), "fast", "9" if name == "a" else "4")
        label(query, prediction, "4")
    rows = query(
        "SELECT learning_rate, sum(images)::int FROM confusion"
        " WHERE true_label = '4' AND predicted_label = '9' GROUP BY 1 ORDER BY 1"
    )
    assert rows == [(0.001, 3), (0.5, 1)]
    assert query("SELECT experiment_name, accuracy FROM live_accuracy ORDER BY 1") == [
        ("fast", pytest.approx(2 / 3, abs=1e-6)),
        ("slow", 0),
    ]


def test_alias_moves_are_kept_and_last_one_is_current(query: Query) -> None:
    move = (
        "SELECT from_experiment_name, experiment_name"
        " FROM move_alias('mnist', 'champion', %s, 1, NULL, 'ann', %s)"
    )
    assert query(move, "slow", "first") == [(None, "slow")]
    assert query(move, "fast", "better") == [("slow", "fast")]
    assert query(move, "fast", "again") == [("slow", "fast")]  # already there
    assert query("SELECT reason FROM alias_history ORDER BY event_id") == ["first", "better"]
    assert query("SELECT experiment_name FROM aliases") == ["fast"]


def test_first_champion_is_best_ready_version_once(query: Query) -> None:
    query(
        "UPDATE model_versions"
        " SET test_accuracy = CASE experiment_name WHEN 'slow' THEN 0.9 ELSE 0.99 END"
    )
    query("UPDATE model_versions SET status = 'LOADING' WHERE experiment_name = 'slow'")
    # the loading version may have a higher accuracy
    assert query("SELECT experiment_name FROM first_champions()") == []
    query("UPDATE model_versions SET status = 'READY'")
    assert query("SELECT experiment_name FROM first_champions()") == ["fast"]
    assert query("SELECT experiment_name FROM first_champions()") == []


def test_first_champion_does_not_fail_the_probe(query: Query) -> None:
    query(
        "UPDATE model_versions SET test_accuracy = 0.9, probe_passed = (experiment_name = 'slow')"
    )
    assert query("SELECT experiment_name FROM first_champions()") == ["slow"]


def test_app_role_adds_and_cannot_delete(query: Query, environment: dict[str, str]) -> None:
    prediction = predict(query, add_image(query, "a"), "slow", "9")
    connection = connect(environment, "mlops_app")
    connection.autocommit = True
    assert label(lambda *arguments: execute(connection, *arguments), prediction, "4") == "stored"
    for statement in (
        "DELETE FROM predictions",
        "UPDATE predictions SET label = '4'",
        "DELETE FROM prediction_events",
        "DELETE FROM alias_events",
        "INSERT INTO labels DEFAULT VALUES",
        "INSERT INTO alias_events DEFAULT VALUES",
        "SELECT drop_events_before(now())",
        "DROP TABLE images",
    ):
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            execute(connection, statement)
    connection.close()


def test_read_role_cannot_run_owner_functions(query: Query) -> None:
    assert (
        query(
            "SELECT proname FROM pg_proc"
            " WHERE prosecdef AND has_function_privilege('mlops_read', oid, 'EXECUTE')"
        )
        == []
    )


def test_migration_warns_of_the_blank_image_and_ends_its_label(
    empty_database: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in empty_database.items():
        monkeypatch.setenv(name, value)
    for file in MIGRATIONS.glob("*.sql"):
        if file.name < "0011":
            shutil.copy(file, tmp_path)
    apply_migrations(empty_database["PGDATABASE"], tmp_path)
    connection = connect(empty_database)
    connection.autocommit = True

    def query(statement: str, *arguments: object) -> list[Any]:
        return execute(connection, statement, *arguments)

    add_versions(query)
    blank = add_image(query, "blank", hashlib.sha256(bytes(28 * 28)).hexdigest())
    usual = add_image(query, "usual")
    for image in (blank, usual):
        prediction = predict(query, image, "slow", "9")
        predict(query, image, "fast", "4")
        label(query, prediction, "4")
    migrate(empty_database["PGDATABASE"])
    assert query("SELECT id::text, warnings FROM images WHERE warnings <> '{}'") == [
        (blank, ["no digit found"])
    ]
    assert query("SELECT images FROM live_accuracy") == [1, 1]
    assert query("SELECT image_id::text FROM labels WHERE replaced_at IS NULL") == [usual]
    assert query("SELECT count(*) FROM disagreements") == [1]
    connection.close()
