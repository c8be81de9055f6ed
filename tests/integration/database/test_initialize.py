"""The set-up of the database, against a real Postgres."""

import os
import subprocess
import sys
import time
from pathlib import Path
from random import Random

import psycopg2
import psycopg2.extensions
import pytest

from db.migrate import MIGRATIONS

HEADER = "Experiment Name,Learning Rate,Momentum,Loss,Test Accuracy\n"
LOSS = '"{""Step"": [1, 2, 3], ""Value"": [2.5, 0.5, 1.5]}"'
# In their order, but without their ids: a set-up that was killed before its commit has used some
# up.
CONTENTS = """
    SELECT (SELECT json_agg(json_build_array(name, learning_rate, params, missing_since IS NULL) ORDER BY id)
            FROM experiments)::text,
           (SELECT json_agg(json_build_array(e.name, to_jsonb(c) - 'experiment_id') ORDER BY e.id, c.metric)
            FROM metric_curves c JOIN experiments e ON e.id = c.experiment_id)::text,
           (SELECT json_agg(r ORDER BY line) FROM (SELECT line, reason, raw, resolved_at IS NULL FROM import_rejects) r)::text,
           (SELECT array_agg(migration_id ORDER BY 1) FROM _yoyo_migration)::text
"""


class Database:
    """A database of one test and a data.csv beside it."""

    def __init__(self, environment: dict[str, str], folder: Path) -> None:
        self.csv = folder / "data.csv"
        self.environment = {
            **os.environ,
            **environment,
            "DATA_CSV": str(self.csv),
            "DATA_DIR": str(folder / "data.d"),
        }

    def start_set_up(self) -> subprocess.Popen[str]:
        return subprocess.Popen(
            [sys.executable, "-m", "db.initialize"],
            env=self.environment,
            text=True,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
        )

    def set_up(self) -> str:
        child = self.start_set_up()
        output, errors = child.communicate(timeout=60)
        assert child.returncode == 0, errors
        return output

    def rows(self, query: str, role: str = "postgres") -> list[tuple[object, ...]]:
        user = {"user": role} if role == "postgres" else {"user": role, "password": "pass123"}
        address = {
            "host": "PGHOST",
            "port": "PGPORT",
            "dbname": "PGDATABASE",
            "user": "PGUSER",
            "password": "PGPASSWORD",
        }
        connection = psycopg2.connect(
            **{key: self.environment[name] for key, name in address.items()} | user
        )  # type: ignore[call-overload]
        try:
            with connection, connection.cursor() as cursor:
                cursor.execute(query)
                return cursor.fetchall() if cursor.description else []
        finally:
            connection.close()


@pytest.fixture
def database(empty_database: dict[str, str], tmp_path: Path) -> Database:
    return Database(empty_database, tmp_path)


def test_a_first_set_up_makes_the_schema_and_takes_the_rows(database: Database) -> None:
    database.csv.write_text(f"{HEADER}a,0.1,0.9,{LOSS},0.98\nb,fast,0.9,{LOSS},0.97\n")
    output = database.set_up()
    assert "applied migration 0001_experiments" in output
    assert "2 rows: 1 new, 1 rejected" in output
    assert database.rows(
        "SELECT experiment_name, test_accuracy, best_loss, best_loss_step, last_loss, points FROM leaderboard"
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


def test_a_second_set_up_changes_nothing(database: Database) -> None:
    database.csv.write_text(f"{HEADER}a,0.1,0.9,{LOSS},0.98\nb,fast,0.9,{LOSS},0.97\n")
    database.set_up()
    before = (
        database.rows(CONTENTS),
        database.rows(
            "SELECT e.id, c.experiment_id, c.xmin::text, e.updated_at FROM metric_curves c, experiments e"
        ),
    )
    assert "0 new, 1 unchanged, 1 rejected" in database.set_up()
    assert (
        database.rows(CONTENTS),
        database.rows(
            "SELECT e.id, c.experiment_id, c.xmin::text, e.updated_at FROM metric_curves c, experiments e"
        ),
    ) == before
    assert database.rows("SELECT count(*) FROM imports") == [(1,)]


def test_new_changed_and_missing_rows_are_added_updated_and_marked(database: Database) -> None:
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


def test_a_row_that_returns_is_no_longer_missing_and_keeps_its_id(database: Database) -> None:
    row = f"a,0.1,0.9,{LOSS},0.98\n"
    for content in (row, "", row):
        database.csv.write_text(HEADER + content)
        database.set_up()
    assert database.rows("SELECT id, missing_since FROM experiments") == [(1, None)]


def test_an_experiment_whose_row_went_bad_keeps_its_last_good_content(database: Database) -> None:
    database.csv.write_text(f"{HEADER}a,0.1,0.9,{LOSS},0.98\n")
    database.set_up()
    database.csv.write_text(f"{HEADER}a,O.1,0.9,{LOSS},0.98\n")
    database.set_up()
    assert database.rows("SELECT learning_rate, missing_since FROM experiments") == [(0.1, None)]


def test_a_mended_row_resolves_its_reject(database: Database) -> None:
    database.csv.write_text(f"{HEADER}a,fast,0.9,{LOSS},0.98\n")
    database.set_up()
    database.csv.write_text(f"{HEADER}a,0.1,0.9,{LOSS},0.98\n")
    database.set_up()
    assert database.rows("SELECT line, resolved_at IS NOT NULL FROM import_rejects") == [(2, True)]


def test_an_unusable_file_is_reported_and_changes_no_experiment(database: Database) -> None:
    database.csv.write_text(f"{HEADER}a,0.1,0.9,{LOSS},0.98\n")
    database.set_up()
    database.csv.write_text("Name,Rate\na,1\n")
    assert "not imported: data.csv lacks the columns" in database.set_up()
    assert database.rows("SELECT name, missing_since FROM experiments") == [("a", None)]
    assert database.rows(
        "SELECT error LIKE 'data.csv lacks%' FROM imports ORDER BY id DESC LIMIT 1"
    ) == [(True,)]


def test_only_the_first_of_very_many_rejects_are_kept(database: Database) -> None:
    database.csv.write_text(HEADER + "a,b\n" * 12_000)
    assert "12000 rejected" in database.set_up()
    assert database.rows("SELECT count(*) FROM import_rejects") == [(10_000,)]


def test_an_experiment_is_not_missing_however_late_its_row_is_rejected(database: Database) -> None:
    database.csv.write_text(f"{HEADER}a,0.1,0.9,{LOSS},0.98\n")
    database.set_up()
    database.csv.write_text(HEADER + "b,c\n" * 10_001 + f"a,O.1,0.9,{LOSS},0.98\n")
    database.set_up()
    assert database.rows("SELECT learning_rate, missing_since FROM experiments") == [(0.1, None)]


def test_a_very_long_reason_or_cell_is_kept_all_the_same(database: Database) -> None:
    database.csv.write_text(HEADER + f"{'x' * 50_000},0.1,0.9,{LOSS},1\n")
    database.set_up()
    assert database.rows("SELECT length(raw) > 50000 FROM import_rejects") == [(True,)]


def test_the_shipped_file_is_imported_whole(database: Database) -> None:
    database.csv.write_bytes(Path("data.csv").read_bytes())
    database.set_up()
    assert database.rows("SELECT rows_read = rows_added, rows_rejected FROM imports") == [(True, 0)]


def test_eight_set_ups_at_once_all_succeed_and_agree(database: Database) -> None:
    database.csv.write_text(HEADER + "".join(f"e{n},0.1,0.9,{LOSS},0.98\n" for n in range(50)))
    children = [database.start_set_up() for _ in range(8)]
    results = [(child.communicate(timeout=90), child.returncode) for child in children]
    assert [code for _, code in results] == [0] * 8, results
    assert database.rows("SELECT count(*), max(id) FROM experiments") == [(50, 50)]


def test_a_set_up_killed_at_any_time_leaves_nothing_in_the_way(database: Database) -> None:
    database.csv.write_text(HEADER + "".join(f"e{n},0.1,0.9,{LOSS},0.98\n" for n in range(300)))
    random = Random(0)
    for _ in range(8):
        child = database.start_set_up()
        time.sleep(random.uniform(0.1, 0.6))
        child.kill()
        child.communicate()
    database.set_up()
    assert database.rows(
        "SELECT count(*), count(DISTINCT c.experiment_id) FROM experiments e JOIN metric_curves c ON c.experiment_id = e.id"
    ) == [(300, 300)]


def test_the_dashboards_role_reads_everything_and_writes_nothing(database: Database) -> None:
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


def test_the_services_role_cannot_write_experiments(database: Database) -> None:
    database.csv.write_text(HEADER)
    database.set_up()
    with pytest.raises(psycopg2.errors.InsufficientPrivilege):
        database.rows("DELETE FROM experiments", role="mlops_app")


def test_every_table_view_and_column_has_a_comment(database: Database) -> None:
    database.csv.write_text(HEADER)
    database.set_up()
    uncommented = database.rows("""
        SELECT c.relname, a.attname FROM pg_class c
        JOIN pg_attribute a ON a.attrelid = c.oid
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'v') AND NOT a.attisdropped
          AND c.relname NOT LIKE '%yoyo%' AND a.attnum > 0 AND col_description(c.oid, a.attnum) IS NULL
        UNION ALL
        SELECT c.relname, NULL FROM pg_class c
        WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'v') AND obj_description(c.oid, 'pg_class') IS NULL
    """)
    assert uncommented == []


def test_migrations_are_numbered_without_gaps() -> None:
    numbers = [int(path.name.split("_")[0]) for path in sorted(MIGRATIONS.glob("*.sql"))]
    assert numbers == list(range(1, len(numbers) + 1))
