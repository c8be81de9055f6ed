"""Several CSV files, unchanged files and killed set-ups, against a real Postgres."""

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import psycopg2
import pytest

from db.csv_reader import READER_VERSION

HEADER = "Experiment Name,Learning Rate,Momentum,Loss,Test Accuracy\n"
LOSS = '"{""Step"": [1, 2, 3], ""Value"": [2.5, 0.5, 1.5]}"'
EXPERIMENTS = "SELECT name, source_file, source_line, missing_since IS NOT NULL FROM experiments ORDER BY name"
REJECTS = "SELECT file, line, reason, resolved_at IS NOT NULL FROM import_rejects ORDER BY id"
CONTENTS = """
    SELECT (SELECT json_agg(e ORDER BY name) FROM (
               SELECT name, task, learning_rate, momentum, params, metrics, source_file, source_line, content_digest,
                      missing_since IS NULL FROM experiments) e)::text,
           (SELECT json_agg(c ORDER BY name, metric) FROM (
               SELECT name, c.metric, steps, metric_values, best_value, best_step
               FROM metric_curves c JOIN experiments ON id = experiment_id) c)::text,
           (SELECT json_agg(r ORDER BY file, line) FROM (
               SELECT file, line, column_name, reason, raw FROM import_rejects WHERE resolved_at IS NULL) r)::text,
           (SELECT json_agg(i ORDER BY file) FROM (
               SELECT DISTINCT ON (file) file, digest, reader_version, rows_read, rows_rejected, error
               FROM imports ORDER BY file, id DESC) i)::text,
           (SELECT array_agg(migration_id ORDER BY 1) FROM _yoyo_migration)::text
"""


def row(name: str, rate: object = 0.1) -> str:
    return f"{name},{rate},0.9,{LOSS},0.98\n"


class Database:
    """A database of one test, with a data.csv and a data.d beside it."""

    def __init__(self, environment: dict[str, str], folder: Path) -> None:
        self.csv, self.folder = folder / "data.csv", folder / "data.d"
        self.environment = {
            **os.environ,
            **environment,
            "DATA_CSV": str(self.csv),
            "DATA_DIR": str(self.folder),
        }

    def write(self, main: str, **further: str) -> None:
        self.csv.write_text(HEADER + main)
        self.folder.mkdir(exist_ok=True)
        for file in self.folder.iterdir():
            file.unlink()
        for name, content in further.items():
            (self.folder / f"{name}.csv").write_text(content)

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

    def rows(self, query: str) -> list[tuple[object, ...]]:
        address = {
            "host": "PGHOST",
            "port": "PGPORT",
            "dbname": "PGDATABASE",
            "user": "PGUSER",
            "password": "PGPASSWORD",
        }
        connection = psycopg2.connect(
            **{key: self.environment[name] for key, name in address.items()}
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


def test_every_file_of_the_directory_is_imported_after_data_csv_in_the_order_of_names(
    database: Database,
) -> None:
    database.write(row("a"), y=HEADER + row("c"), x=HEADER + row("b"))
    assert "3 files, 3 rows: 3 new" in database.set_up()
    assert database.rows("SELECT name, source_file FROM experiments ORDER BY id") == [
        ("a", "data.csv"),
        ("b", "data.d/x.csv"),
        ("c", "data.d/y.csv"),
    ]


@pytest.mark.parametrize("exists", [True, False])
def test_a_directory_that_is_missing_or_empty_is_fine(database: Database, *, exists: bool) -> None:
    database.write(row("a"))
    if not exists:
        database.folder.rmdir()
    assert "data.csv: 1 rows: 1 new" in database.set_up()


def test_a_name_of_an_earlier_file_is_a_reject_of_the_later_one(database: Database) -> None:
    database.write(row("b") + row("a"), x=HEADER + row("a", 0.7))
    database.set_up()
    assert database.rows(REJECTS) == [("data.d/x.csv", 2, "is already in data.csv, line 3", False)]
    assert database.rows("SELECT learning_rate FROM experiments WHERE name = 'a'") == [(0.1,)]


def test_a_row_that_moves_to_another_file_is_taken_over_and_keeps_its_id(
    database: Database,
) -> None:
    database.write(row("a") + row("b"))
    database.set_up()
    before = database.rows("SELECT id, name, updated_at FROM experiments ORDER BY id")
    for main, further in ((row("b"), row("a")), (row("a") + row("b"), "")):
        database.write(main, x=HEADER + further)
        database.set_up()
        assert database.rows(
            "SELECT count(*) FROM experiments WHERE missing_since IS NOT NULL"
        ) == [(0,)]
    assert database.rows("SELECT id, name, updated_at FROM experiments ORDER BY id") == before


def test_the_experiments_of_a_file_that_is_gone_are_missing_and_its_rejects_resolved_until_it_returns(
    database: Database,
) -> None:
    further = HEADER + row("b") + row("c", "fast")
    database.write(row("a"), x=further)
    database.set_up()
    database.write(row("a"))
    assert "data.d/x.csv: 0 rows: 0 new, 1 gone from the file" in database.set_up()
    assert database.rows(EXPERIMENTS)[1] == ("b", "data.d/x.csv", 2, True)
    assert [resolved for *_, resolved in database.rows(REJECTS)] == [True]
    assert "x.csv" not in database.set_up()
    database.write(row("a"), x=further)
    database.set_up()
    assert database.rows(EXPERIMENTS)[1] == ("b", "data.d/x.csv", 2, False)
    assert [resolved for *_, resolved in database.rows(REJECTS)] == [False]


def test_a_bad_file_stops_no_other_and_loses_nothing(database: Database) -> None:
    database.write(row("a"), x=HEADER + row("b"), y=HEADER + row("c"))
    database.set_up()
    database.write(row("a"), x="Name\nb\n", y=HEADER + row("c", 0.5))
    (database.folder / "z.csv").symlink_to("nowhere")
    os.mkfifo(database.folder / "pipe.csv")
    output = database.set_up()
    assert "not imported: data.d/x.csv lacks the columns" in output
    assert "data.d/pipe.csv is no file" in output
    assert "data.d/z.csv cannot be read" in output
    assert database.rows(
        "SELECT name, learning_rate, missing_since FROM experiments ORDER BY name"
    ) == [
        ("a", 0.1, None),
        ("b", 0.1, None),
        ("c", 0.5, None),
    ]


def test_a_data_csv_that_cannot_be_found_takes_nothing_from_the_others(database: Database) -> None:
    database.write(row("a"), x=HEADER + row("b"))
    database.set_up()
    database.environment["DATA_CSV"] = str(database.csv.with_name("dta.csv"))
    assert "not imported: dta.csv cannot be read" in database.set_up()
    assert database.rows("SELECT count(*) FROM experiments WHERE missing_since IS NULL") == [(2,)]


def test_unchanged_files_are_not_read_again_and_only_times_move_on(database: Database) -> None:
    database.write(row("a"), x=HEADER + row("b") + row("c", "fast"))
    database.set_up()
    # what reading them again would mend
    database.rows("UPDATE experiments SET learning_rate = 7, content_digest = 'other'")
    times = "SELECT max(e.seen_at), max(r.last_seen_at), max(i.finished_at) FROM experiments e, import_rejects r, imports i"
    before = database.rows(times)[0]
    database.set_up()
    assert database.rows("SELECT DISTINCT learning_rate FROM experiments") == [(7.0,)]
    assert all(after > old for after, old in zip(database.rows(times)[0], before, strict=True))  # type: ignore[operator]


@pytest.mark.parametrize(
    "change",
    [
        f"UPDATE imports SET reader_version = {READER_VERSION - 1}",
        "DELETE FROM experiments WHERE name = 'a'",
    ],
)
def test_a_newer_reader_or_a_changed_table_has_every_file_read_again(
    database: Database, change: str
) -> None:
    database.write(row("a"), x=HEADER + row("b"))
    database.set_up()
    database.rows("UPDATE experiments SET learning_rate = 7, content_digest = 'other'")
    database.rows(change)
    database.set_up()
    assert database.rows("SELECT name, learning_rate FROM experiments ORDER BY name") == [
        ("a", 0.1),
        ("b", 0.1),
    ]


def test_unforeseen_columns_and_curves_reach_the_tables(database: Database) -> None:
    header = HEADER.replace("\n", ",Optimizer,Batch Size,F1 Score,Test Loss,Validation Accuracy\n")
    database.csv.write_text(header + row("a").replace("\n", f",sgd,64,0.9,0.1,{LOSS}\n"))
    database.set_up()
    assert database.rows("SELECT params, metrics FROM experiments") == [
        (
            {"optimizer": "sgd", "batch_size": 64},
            {"test_accuracy": 0.98, "f1_score": 0.9, "test_loss": 0.1},
        )
    ]
    assert database.rows(
        "SELECT metric, steps, metric_values, best_value, best_step FROM metric_curves ORDER BY metric"
    ) == [
        ("loss", [1, 2, 3], [2.5, 0.5, 1.5], 0.5, 2),
        ("validation_accuracy", [1, 2, 3], [2.5, 0.5, 1.5], 2.5, 1),
    ]


def test_the_extremes_of_numbers_come_out_as_they_went_in(database: Database) -> None:
    steps, values = [-(2**63) + 1, 0, 2**63 - 1], [5e-324, -1.7976931348623157e308, 0.1]
    loss = f'"{{""Step"": {steps}, ""Value"": {values}}}"'
    database.write(f"a,0.1,0.9,{loss},1\n")
    database.set_up()
    assert database.rows("SELECT steps, metric_values FROM metric_curves") == [(steps, values)]


@pytest.mark.timeout(180)
def test_set_ups_killed_at_fifty_random_points_converge_to_what_an_undisturbed_one_makes(
    database: Database,
) -> None:
    chance = random.Random(4)
    contents = [
        (
            "".join(row(f"e{n}", 0.1 + version * (n % 3)) for n in range(400))
            + row("bad", "fast" * version),
            HEADER + "".join(row(f"f{n}", version) for n in range(200 * version)),
        )
        for version in (1, 2)
    ]
    expected = []
    for main, further in contents:  # each from nothing, and then both, one after the other
        database.rows("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
        database.write(main, x=further)
        started = time.monotonic()
        database.set_up()
        duration = time.monotonic() - started
        expected.append(database.rows(CONTENTS))
    database.rows("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    for kill in range(50):
        if kill % 10 == 0:
            database.rows("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
        database.write(contents[kill % 2][0], x=contents[kill % 2][1])
        child = database.start_set_up()
        time.sleep(chance.uniform(0.1, 1.1) * duration)
        child.kill()
        child.communicate()
        if kill % 10 == 9:
            database.set_up()
            assert database.rows(CONTENTS) == expected[kill % 2]


def test_two_set_ups_at_once_converge_to_what_one_makes(database: Database) -> None:
    database.write("".join(row(f"e{n}") for n in range(200)), x=HEADER + row("e1") + row("f"))
    database.set_up()
    expected = database.rows(CONTENTS)
    database.rows("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    children = [database.start_set_up() for _ in range(2)]
    assert [(child.communicate(timeout=60), child.returncode)[1] for child in children] == [0, 0]
    assert database.rows(CONTENTS) == expected
