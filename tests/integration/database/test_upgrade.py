"""Upgrades: a database of any earlier commit gets the schema of a new one, and keeps its rows."""

import os
from pathlib import Path

import psycopg2
import pytest

from db.initialize import set_up
from db.settings import from_environment
from tests.support.database import Database, apply_migrations, csv_row
from tests.support.dump import read_schema
from tests.support.earlier_migrations import COMMITS, write_migrations

# Each earlier text at once, as of a database that every commit has updated.
EVERY_EARLIER_TEXT = {"all": "1- 2- 3- 4- 6- 7- 8-"}
ALWAYS_TESTED = ("4df321a", "18025fe", "all")
ID = "11111111-1111-1111-1111-111111111111"
EXPERIMENT = """
INSERT INTO experiments (name, learning_rate, momentum, source_file, source_line, content_digest)
VALUES ('old', 0.1, 0.9, 'data.csv', 2, 'x');
INSERT INTO metric_curves (experiment_id, metric, steps, metric_values, best_value, best_step)
SELECT id, 'loss', '{1,2}', '{3,4}', 3, 1 FROM experiments;
INSERT INTO import_rejects (file, line, reason, raw) VALUES ('data.csv', 3, 'bad', 'a,b')
"""
PREDICTION = f"""
INSERT INTO model_versions (id, experiment_name, version, format, task, classes, input, output,
                            status, first_seen_at, status_since)
VALUES ('{ID}', 'old', 1, 'litert', 'mnist', '{{4,9}}', '{{}}', 'probabilities', 'READY', now(),
        now());
INSERT INTO images (id, digest, width, height, bytes, media_type, ink_share, mean, border,
                    first_seen_at)
VALUES ('{ID}', repeat('1', 64), 28, 28, 300, 'image/png', 0.2, 40, 0, now());
INSERT INTO predictions (id, image_id, model_version_id, task, label, confidence, probabilities,
                         created_at, last_event_at)
VALUES ('{ID}', '{ID}', '{ID}', 'mnist', '9', 0.9, '{{0.1,0.9}}', now(), now());
INSERT INTO prediction_events (id, at, prediction_id, milliseconds, cached, request_id)
VALUES ('{ID}', now(), '{ID}', 1, false, 'r');
SELECT label_prediction('{ID}', '4', 'ann', NULL);
SELECT move_alias('mnist', 'champion', 'old', 1, NULL, 'ann', 'best')
"""
ROWS = (
    "SELECT name, points FROM experiments e JOIN metric_curves c ON c.experiment_id = e.id",
    "SELECT line, reason, raw FROM import_rejects",
    "SELECT label, true_label, events, last_event_at FROM prediction_log",
    "SELECT minute, events FROM traffic",
    "SELECT * FROM confusion_counts",
    "SELECT label, labelled_by, labelled_at, replaced_at FROM labels",
    "SELECT task, alias, experiment_name, version, moved_at FROM aliases",
)


@pytest.fixture
def database(
    empty_database: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Database:
    """An empty database to which the process environment points."""
    database = Database(empty_database, tmp_path)
    for name, value in database.environment.items():
        monkeypatch.setenv(name, value)
    return database


@pytest.fixture(scope="module")
def new_schema(
    postgres_environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> list[str]:
    """The schema of a database that was never upgraded."""
    database = Database(postgres_environment, tmp_path_factory.mktemp("new"))
    database.write("")
    database.set_up()
    return read_schema(postgres_environment)


def set_up_earlier(database: Database, numbers: str, tmp_path: Path) -> None:
    """Apply earlier migrations and add rows to each table that exists."""
    folder = tmp_path / "migrations"
    folder.mkdir()
    write_migrations(numbers, folder)
    name = database.environment["PGDATABASE"]
    # 0007 without the lock of a later 0002 takes no rows.
    later = [file.rename(tmp_path / file.name) for file in folder.iterdir() if file.name > "0007"]
    apply_migrations(name, folder)
    database.rows(EXPERIMENT)
    if "2" in numbers:
        database.rows(PREDICTION)
    for file in later:
        file.rename(folder / file.name)
    apply_migrations(name, folder)


def read_rows(database: Database, queries: tuple[str, ...]) -> list[list[tuple[object, ...]]]:
    return [database.rows(query) for query in queries]


@pytest.mark.parametrize(
    "commit",
    [
        pytest.param(commit, marks=() if commit in ALWAYS_TESTED else pytest.mark.slow)
        for commit in (*COMMITS, *EVERY_EARLIER_TEXT)
    ],
)
def test_database_of_earlier_commit_is_like_a_new_one(
    database: Database, new_schema: list[str], tmp_path: Path, commit: str
) -> None:
    numbers = {**COMMITS, **EVERY_EARLIER_TEXT}[commit]
    set_up_earlier(database, numbers, tmp_path)
    queries = ROWS if "2" in numbers else ROWS[:2]
    rows = read_rows(database, queries)
    assert all(rows)
    set_up(from_environment(os.environ))
    assert read_schema(database.environment) == new_schema
    assert read_rows(database, queries) == rows
    database.write(csv_row("old"))
    set_up(from_environment(os.environ))
    assert database.rows("SELECT name FROM experiments") == [("old",)]


def test_service_can_write_after_upgrade(database: Database, tmp_path: Path) -> None:
    """The shipper's statements, in a database that had no lock of writers."""
    set_up_earlier(database, COMMITS["04e5e35"], tmp_path)
    set_up(from_environment(os.environ))
    database.rows(
        f"""
        SELECT lock_summaries();
        SELECT count_events(ARRAY['{ID}'::uuid], '{{1}}', ARRAY[now()]);
        SELECT outcome FROM label_prediction('{ID}', '9', 'bob', '4');
        """,
        role="mlops_app",
    )
    assert database.rows("SELECT events, true_label FROM prediction_log") == [(2, "9")]
    for statement in ("INSERT INTO labels DEFAULT VALUES", "UPDATE predictions SET events = 0"):
        with pytest.raises(psycopg2.errors.InsufficientPrivilege):
            database.rows(statement, role="mlops_app")


def test_edited_migration_stops_set_up(database: Database) -> None:
    database.set_up()
    database.rows("UPDATE migration_fingerprints SET sha256 = 'x' WHERE migration ~ '0002'")
    child = database.start_set_up()
    _, errors = child.communicate(timeout=60)
    assert child.returncode == 1
    assert errors == (
        "The database set-up failed: db/migrations/0002_predictions.sql was edited after it was"
        " applied to this database. Restore its text, and put the change into a new migration.\n"
    )
