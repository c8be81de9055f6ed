"""Database set-up on a real Postgres: import, rejects, concurrency, kills and roles."""

import time
from pathlib import Path
from random import Random

import psycopg2
import pytest

from db.schema.migrate import MIGRATIONS
from tests.support.database import HEADER, LOSS, Database

# Ordered by id, but without ids: a set-up that is killed before its commit uses some of them.
CONTENTS = """
    SELECT (SELECT json_agg(
                json_build_array(name, learning_rate, params, missing_since IS NULL) ORDER BY id)
            FROM experiments)::text,
           (SELECT json_agg(
                json_build_array(e.name, to_jsonb(c) - 'experiment_id') ORDER BY e.id, c.metric)
            FROM metric_curves c JOIN experiments e ON e.id = c.experiment_id)::text,
           (SELECT json_agg(r ORDER BY line)
            FROM (SELECT line, reason, raw, resolved_at IS NULL FROM import_rejects) r)::text,
           (SELECT array_agg(migration_id ORDER BY 1) FROM _yoyo_migration)::text
"""


@pytest.fixture
def database(empty_database: dict[str, str], tmp_path: Path) -> Database:
    return Database(empty_database, tmp_path)


def test_first_set_up_creates_schema_and_imports_rows(database: Database) -> None:
    database.csv.write_text(f"{HEADER}a,0.1,0.9,{LOSS},0.98\nb,fast,0.9,{LOSS},0.97\n")
    output = database.run("db.initialize")
    assert "applied migration 0001_experiments" in output
    assert "2 rows: 1 new, 1 rejected" in output
    assert database.rows(
        "SELECT experiment_name, test_accuracy, best_loss, best_loss_step, last_loss, points"
        " FROM leaderboard"
    ) == [("a", 0.98, 0.5, 2, 1.5, 3)]
    assert database.rows(
        "SELECT step, value FROM loss_curves WHERE experiment_name = 'a' ORDER BY step"
    ) == [
        (1, 2.5),
        (2, 0.5),
        (3, 1.5),
    ]
    assert database.rows("SELECT file, line, column_name, raw FROM import_rejects") == [
        ("data.csv", 3, "Learning Rate", f"b,fast,0.9,{LOSS},0.97")
    ]


def test_second_set_up_changes_nothing(database: Database) -> None:
    database.csv.write_text(f"{HEADER}a,0.1,0.9,{LOSS},0.98\nb,fast,0.9,{LOSS},0.97\n")
    database.set_up()
    versions = """
        SELECT e.id, c.experiment_id, c.xmin::text, e.updated_at
        FROM metric_curves c, experiments e
    """
    before = (database.rows(CONTENTS), database.rows(versions))
    assert "0 new, 1 unchanged, 1 rejected" in database.set_up()
    assert (database.rows(CONTENTS), database.rows(versions)) == before
    assert database.rows("SELECT count(*) FROM imports") == [(1,)]


def test_set_up_adds_updates_and_marks_rows(database: Database) -> None:
    database.csv.write_text(f"{HEADER}a,0.1,0.9,{LOSS},0.98\nb,0.2,0.9,{LOSS},0.97\n")
    database.set_up()
    database.csv.write_text(f"{HEADER}c,0.3,0.9,{LOSS},0.96\nb,0.25,0.9,{LOSS},0.97\n")
    assert "2 rows: 1 new, 1 changed, 1 gone from the file" in database.set_up()
    assert database.rows(
        "SELECT name, learning_rate, missing_since IS NULL FROM experiments ORDER BY id"
    ) == [
        ("a", 0.1, False),
        ("b", 0.25, True),
        ("c", 0.3, True),
    ]


@pytest.mark.slow
def test_returned_row_is_not_missing_and_keeps_its_id(database: Database) -> None:
    row = f"a,0.1,0.9,{LOSS},0.98\n"
    for content in (row, "", row):
        database.csv.write_text(HEADER + content)
        database.set_up()
    assert database.rows("SELECT id, missing_since FROM experiments") == [(1, None)]


def test_rejected_row_keeps_last_valid_content(database: Database) -> None:
    database.csv.write_text(f"{HEADER}a,0.1,0.9,{LOSS},0.98\n")
    database.set_up()
    database.csv.write_text(f"{HEADER}a,O.1,0.9,{LOSS},0.98\n")
    database.set_up()
    assert database.rows("SELECT learning_rate, missing_since FROM experiments") == [(0.1, None)]


def test_corrected_row_resolves_its_reject(database: Database) -> None:
    database.csv.write_text(f"{HEADER}a,fast,0.9,{LOSS},0.98\n")
    database.set_up()
    database.csv.write_text(f"{HEADER}a,0.1,0.9,{LOSS},0.98\n")
    database.set_up()
    assert database.rows("SELECT line, resolved_at IS NOT NULL FROM import_rejects") == [(2, True)]


def test_unreadable_file_changes_no_experiment(database: Database) -> None:
    database.csv.write_text(f"{HEADER}a,0.1,0.9,{LOSS},0.98\n")
    database.set_up()
    database.csv.write_text("Name,Rate\na,1\n")
    assert "not imported: data.csv is missing the columns" in database.set_up()
    assert database.rows("SELECT name, missing_since FROM experiments") == [("a", None)]
    assert database.rows(
        "SELECT error LIKE 'data.csv is missing%' FROM imports ORDER BY id DESC LIMIT 1"
    ) == [(True,)]


@pytest.mark.slow
def test_first_10000_rejects_are_stored(database: Database) -> None:
    database.csv.write_text(HEADER + "a,b\n" * 12_000)
    assert "12000 rejected" in database.set_up()
    assert database.rows("SELECT count(*) FROM import_rejects") == [(10_000,)]


@pytest.mark.slow
def test_row_rejected_after_10000_is_not_missing(database: Database) -> None:
    database.csv.write_text(f"{HEADER}a,0.1,0.9,{LOSS},0.98\n")
    database.set_up()
    database.csv.write_text(HEADER + "b,c\n" * 10_001 + f"a,O.1,0.9,{LOSS},0.98\n")
    database.set_up()
    assert database.rows("SELECT learning_rate, missing_since FROM experiments") == [(0.1, None)]


@pytest.mark.slow
def test_very_long_cell_is_stored(database: Database) -> None:
    database.csv.write_text(HEADER + f"{'x' * 50_000},0.1,0.9,{LOSS},1\n")
    database.set_up()
    assert database.rows("SELECT length(raw) > 50000 FROM import_rejects") == [(True,)]


def test_shipped_file_has_no_rejects(database: Database) -> None:
    database.csv.write_bytes(Path("data.csv").read_bytes())
    database.set_up()
    assert database.rows("SELECT rows_read = rows_added, rows_rejected FROM imports") == [(True, 0)]


@pytest.mark.slow
def test_eight_set_ups_at_once_all_succeed(database: Database) -> None:
    database.csv.write_text(HEADER + "".join(f"e{n},0.1,0.9,{LOSS},0.98\n" for n in range(50)))
    children = [database.start_set_up() for _ in range(8)]
    results = [(child.communicate(timeout=90), child.returncode) for child in children]
    assert [code for _, code in results] == [0] * 8, results
    assert database.rows("SELECT count(*), max(id) FROM experiments") == [(50, 50)]


@pytest.mark.slow
def test_set_up_after_kills_succeeds(database: Database) -> None:
    database.csv.write_text(HEADER + "".join(f"e{n},0.1,0.9,{LOSS},0.98\n" for n in range(300)))
    random = Random(0)
    for _ in range(8):
        child = database.start_set_up()
        time.sleep(random.uniform(0.1, 0.6))
        child.kill()
        child.communicate()
    database.set_up()
    assert database.rows(
        "SELECT count(*), count(DISTINCT c.experiment_id)"
        " FROM experiments e JOIN metric_curves c ON c.experiment_id = e.id"
    ) == [(300, 300)]


def test_read_role_reads_everything_and_writes_nothing(database: Database) -> None:
    database.csv.write_text(f"{HEADER}a,0.1,0.9,{LOSS},0.98\n")
    database.set_up()
    for relation in (
        "experiments",
        "leaderboard",
        "loss_curves",
        "experiment_metrics",
        "imports",
        "import_rejects",
    ):
        database.rows(f"SELECT * FROM {relation}", role="mlops_read")
    with pytest.raises(psycopg2.errors.ReadOnlySqlTransaction):
        database.rows("DELETE FROM experiments", role="mlops_read")
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        database.rows(
            "SET default_transaction_read_only = off; BEGIN READ WRITE; DELETE FROM experiments",
            role="mlops_read",
        )


def test_app_role_cannot_write_experiments(database: Database) -> None:
    database.csv.write_text(HEADER)
    database.set_up()
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        database.rows("DELETE FROM experiments", role="mlops_app")


def test_migrations_are_numbered_without_gaps() -> None:
    numbers = [int(path.name.split("_")[0]) for path in sorted(MIGRATIONS.glob("*.sql"))]
    assert numbers == list(range(1, len(numbers) + 1))
