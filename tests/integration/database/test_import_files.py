"""Imports of several CSV files on a real Postgres: changed, unchanged and missing files, kills."""

import os
import random
import time
from pathlib import Path

import pytest

from db.csv.reader import READER_VERSION
from db.csv.reject_reasons import RATE_IS_NOT_A_NUMBER, duplicate_name
from db.importer import RUNS
from inference.database.imports import SELECT_LATEST
from tests.support.database import HEADER, LOSS, Database, csv_row
from tests.support.repetitions import short_or_full
from web.data.queries import FILES

KILLS = short_or_full(20, 50)
EXPERIMENTS = """
    SELECT name, source_file, source_line, missing_since IS NOT NULL FROM experiments ORDER BY name
"""
REJECTS = "SELECT file, line, reason, resolved_at IS NOT NULL FROM import_rejects ORDER BY id"
CONTENTS = """
    SELECT (SELECT json_agg(e ORDER BY name) FROM (
               SELECT name, task, learning_rate, momentum, params, metrics, source_file,
                      source_line, content_digest, missing_since IS NULL FROM experiments) e)::text,
           (SELECT json_agg(c ORDER BY name, metric) FROM (
               SELECT name, c.metric, steps, metric_values, best_value, best_step
               FROM metric_curves c JOIN experiments ON id = experiment_id) c)::text,
           (SELECT json_agg(r ORDER BY file, line) FROM (
               SELECT file, line, column_name, reason, raw
               FROM import_rejects WHERE resolved_at IS NULL) r)::text,
           (SELECT json_agg(i ORDER BY file) FROM (
               SELECT DISTINCT ON (file)
                      file, digest, reader_version, rows_read, rows_rejected, error
               FROM imports ORDER BY file, id DESC) i)::text,
           (SELECT array_agg(migration_id ORDER BY 1) FROM _yoyo_migration)::text
"""


@pytest.fixture
def database(empty_database: dict[str, str], tmp_path: Path) -> Database:
    return Database(empty_database, tmp_path)


def test_directory_is_imported_after_data_csv_by_name(
    database: Database,
) -> None:
    database.write(csv_row("a"), y=HEADER + csv_row("c"), x=HEADER + csv_row("b"))
    assert "3 files, 3 rows: 3 new" in database.set_up()
    assert database.rows("SELECT name, source_file FROM experiments ORDER BY id") == [
        ("a", "data.csv"),
        ("b", "data.d/x.csv"),
        ("c", "data.d/y.csv"),
    ]


@pytest.mark.slow
@pytest.mark.parametrize("exists", [True, False])
def test_missing_or_empty_directory_is_accepted(database: Database, *, exists: bool) -> None:
    database.write(csv_row("a"))
    if not exists:
        database.folder.rmdir()
    assert "data.csv: 1 rows: 1 new" in database.set_up()


def test_name_of_earlier_file_is_rejected(database: Database) -> None:
    database.write(csv_row("b") + csv_row("a"), x=HEADER + csv_row("a", 0.7))
    database.set_up()
    assert database.rows(REJECTS) == [
        ("data.d/x.csv", 2, duplicate_name("data.csv, line 3"), False)
    ]
    assert database.rows("SELECT learning_rate FROM experiments WHERE name = 'a'") == [(0.1,)]


def test_row_takes_over_the_experiment_of_a_published_model(database: Database) -> None:
    database.write(csv_row("a"))
    database.set_up()
    database.rows(
        "INSERT INTO experiments (name, source, owner, started_at, ended_at, metrics)"
        " VALUES ('mine', 'pipeline', 'ann', now(), now(), '{\"test_accuracy\": 0.9}') RETURNING id"
    )
    database.write(csv_row("a") + csv_row("mine"))
    assert "2 rows: 0 new, 1 changed, 1 unchanged" in database.set_up()
    assert database.rows(
        "SELECT source, source_line, owner, started_at, metrics FROM experiments"
        " WHERE name = 'mine'"
    ) == [("csv", 3, "ann", None, {"test_accuracy": 0.98})]


def test_row_with_the_name_of_a_run_is_rejected(database: Database) -> None:
    database.write(csv_row("a"))
    database.set_up()
    database.rows("INSERT INTO experiments (name, source) VALUES ('run', 'api') RETURNING id")
    database.write(csv_row("a") + csv_row("run"))
    assert "1 rejected" in database.set_up()
    assert database.rows(REJECTS) == [("data.csv", 3, duplicate_name(RUNS), False)]
    assert database.rows("SELECT source FROM experiments WHERE name = 'run'") == [("api",)]


def test_row_with_a_previous_name_is_the_renamed_experiment(database: Database) -> None:
    database.write(csv_row("a") + csv_row("b"))
    database.set_up()
    assert database.rows("SELECT rename_experiment('a', 'new', 'ann')") == [("renamed",)]
    database.write(csv_row("a", 0.5) + csv_row("b"))
    assert "0 new, 1 changed, 1 unchanged" in database.set_up()
    assert database.rows("SELECT name, learning_rate FROM experiments ORDER BY id") == [
        ("new", 0.5),
        ("b", 0.1),
    ]
    database.write(csv_row("a", 0.5) + csv_row("b") + csv_row("new"))
    database.set_up()
    assert database.rows(REJECTS) == [("data.csv", 4, duplicate_name("data.csv, line 2"), False)]
    assert database.rows(EXPERIMENTS) == [
        ("b", "data.csv", 3, False),
        ("new", "data.csv", 2, False),
    ]


def test_rate_none_is_null_in_the_database(database: Database) -> None:
    database.write(csv_row("a", "none"))
    database.set_up()
    assert database.rows("SELECT learning_rate, momentum FROM experiments") == [(None, 0.9)]
    database.write(csv_row("a", 0))
    database.set_up()
    assert database.rows("SELECT learning_rate FROM experiments") == [(0.0,)]


def test_loss_none_is_an_experiment_without_curve(database: Database) -> None:
    curves = "SELECT metric FROM metric_curves"
    database.write(csv_row("a"))
    database.set_up()
    assert database.rows(curves) == [("loss",)]
    database.write("a,none,none,none,0.98\n")
    database.set_up()
    assert database.rows("SELECT best_loss, test_accuracy FROM leaderboard") == [(None, 0.98)]
    assert database.rows(curves) == []


@pytest.mark.slow
def test_row_moved_to_another_file_keeps_its_id(
    database: Database,
) -> None:
    database.write(csv_row("a") + csv_row("b"))
    database.set_up()
    before = database.rows("SELECT id, name, updated_at FROM experiments ORDER BY id")
    for main, additional in ((csv_row("b"), csv_row("a")), (csv_row("a") + csv_row("b"), "")):
        database.write(main, x=HEADER + additional)
        database.set_up()
        assert database.rows(
            "SELECT count(*) FROM experiments WHERE missing_since IS NOT NULL"
        ) == [(0,)]
    assert database.rows("SELECT id, name, updated_at FROM experiments ORDER BY id") == before


def test_removed_file_marks_rows_and_resolves_rejects(
    database: Database,
) -> None:
    additional = HEADER + csv_row("b") + csv_row("c", "fast")
    database.write(csv_row("a"), x=additional)
    database.set_up()
    database.write(csv_row("a"))
    assert "data.d/x.csv: 0 rows: 0 new, 1 gone from the file" in database.set_up()
    assert database.rows(EXPERIMENTS)[1] == ("b", "data.d/x.csv", 2, True)
    assert [resolved for *_, resolved in database.rows(REJECTS)] == [True]
    assert "x.csv" not in database.set_up()
    database.write(csv_row("a"), x=additional)
    database.set_up()
    assert database.rows(EXPERIMENTS)[1] == ("b", "data.d/x.csv", 2, False)
    assert [resolved for *_, resolved in database.rows(REJECTS)] == [False]


def test_removed_file_leaves_the_lists_of_imports(database: Database) -> None:
    def listed() -> list[object]:
        files = [file for file, *_ in database.rows(SELECT_LATEST)]
        assert [file for file, *_ in database.rows(FILES.text)] == files
        return files

    database.write(csv_row("a"), x=HEADER + csv_row("b"), y="Name\n")
    database.set_up()
    assert listed() == ["data.csv", "data.d/x.csv", "data.d/y.csv"]
    database.write(csv_row("a"), z=HEADER)
    database.set_up()
    assert listed() == ["data.csv", "data.d/z.csv"]
    database.folder.joinpath("z.csv").unlink()
    database.folder.rmdir()
    database.csv.unlink()
    database.set_up()
    assert listed() == ["data.csv"]  # with its error
    database.write(csv_row("a"), x=HEADER + csv_row("b"))
    database.set_up()
    assert listed() == ["data.csv", "data.d/x.csv"]


@pytest.mark.slow
def test_unreadable_file_stops_no_other_file(database: Database) -> None:
    database.write(csv_row("a"), x=HEADER + csv_row("b"), y=HEADER + csv_row("c"))
    database.set_up()
    database.write(csv_row("a"), x="Name\nb\n", y=HEADER + csv_row("c", 0.5))
    (database.folder / "z.csv").symlink_to("nowhere")
    os.mkfifo(database.folder / "pipe.csv")
    output = database.set_up()
    assert "not imported: data.d/x.csv is missing the columns" in output
    assert "data.d/pipe.csv is not a regular file" in output
    assert "data.d/z.csv cannot be read" in output
    assert database.rows(
        "SELECT name, learning_rate, missing_since FROM experiments ORDER BY name"
    ) == [
        ("a", 0.1, None),
        ("b", 0.1, None),
        ("c", 0.5, None),
    ]


def test_rejected_row_keeps_its_experiment(database: Database) -> None:
    database.write(csv_row("a") + csv_row("b"))
    database.set_up()
    database.write(csv_row("a", "fast") + csv_row("b"))
    assert "gone from the file" not in database.set_up()
    assert database.rows(
        "SELECT name, learning_rate, missing_since FROM experiments ORDER BY name"
    ) == [
        ("a", 0.1, None),
        ("b", 0.1, None),
    ]


@pytest.mark.slow
def test_unreadable_directory_keeps_its_experiments(database: Database) -> None:
    database.write(csv_row("a"), x=HEADER + csv_row("b"))
    database.set_up()
    database.folder.joinpath("x.csv").unlink()
    database.folder.rmdir()
    database.folder.touch()
    assert "not imported: data.d cannot be read" in database.set_up()
    assert database.rows("SELECT count(*) FROM experiments WHERE missing_since IS NULL") == [(2,)]


@pytest.mark.slow
def test_missing_data_csv_keeps_other_files(database: Database) -> None:
    database.write(csv_row("a"), x=HEADER + csv_row("b"))
    database.set_up()
    database.environment["DATA_CSV"] = str(database.csv.with_name("dta.csv"))
    assert "not imported: dta.csv cannot be read" in database.set_up()
    assert database.rows("SELECT count(*) FROM experiments WHERE missing_since IS NULL") == [(2,)]


def test_unchanged_files_update_times_only(database: Database) -> None:
    database.write(csv_row("a"), x=HEADER + csv_row("b") + csv_row("c", "fast"))
    database.set_up()
    # a file that is read again would restore these
    database.rows("UPDATE experiments SET learning_rate = 7, content_digest = 'other'")
    times = """
        SELECT extract(epoch FROM max(e.seen_at)), extract(epoch FROM max(r.last_seen_at)),
               extract(epoch FROM max(i.finished_at))
        FROM experiments e, import_rejects r, imports i
    """
    before = database.rows(times)[0]
    database.set_up()
    assert database.rows("SELECT DISTINCT learning_rate FROM experiments") == [(7.0,)]
    after = database.rows(times)[0]
    assert all(str(new) > str(old) for new, old in zip(after, before, strict=True))


@pytest.mark.slow
@pytest.mark.parametrize(
    "change",
    [
        f"UPDATE imports SET reader_version = {READER_VERSION - 1}",
        "DELETE FROM experiments WHERE name = 'a'",
    ],
)
def test_newer_reader_or_changed_table_reads_all_files(database: Database, change: str) -> None:
    database.write(csv_row("a"), x=HEADER + csv_row("b"))
    database.set_up()
    database.rows("UPDATE experiments SET learning_rate = 7, content_digest = 'other'")
    database.rows(change)
    database.set_up()
    assert database.rows("SELECT name, learning_rate FROM experiments ORDER BY name") == [
        ("a", 0.1),
        ("b", 0.1),
    ]


def test_newer_reader_replaces_reasons_of_rejects(database: Database) -> None:
    database.write(csv_row("a", "fast"))
    database.set_up()
    database.rows("UPDATE import_rejects SET reason = 'is no number'")
    database.rows(f"UPDATE imports SET reader_version = {READER_VERSION - 1}")
    database.set_up()
    assert database.rows(REJECTS) == [
        ("data.csv", 2, "is no number", True),
        ("data.csv", 2, RATE_IS_NOT_A_NUMBER, False),
    ]


def test_additional_columns_and_curves_are_stored(database: Database) -> None:
    header = HEADER.replace("\n", ",Optimizer,Batch Size,F1 Score,Test Loss,Validation Accuracy\n")
    database.csv.write_text(header + csv_row("a").replace("\n", f",sgd,64,0.9,0.1,{LOSS}\n"))
    database.set_up()
    assert database.rows("SELECT params, metrics FROM experiments") == [
        (
            {"optimizer": "sgd", "batch_size": 64},
            {"test_accuracy": 0.98, "f1_score": 0.9, "test_loss": 0.1},
        )
    ]
    assert database.rows(
        "SELECT metric, steps, metric_values, best_value, best_step"
        " FROM metric_curves ORDER BY metric"
    ) == [
        ("loss", [1, 2, 3], [2.5, 0.5, 1.5], 0.5, 2),
        ("validation_accuracy", [1, 2, 3], [2.5, 0.5, 1.5], 2.5, 1),
    ]


def test_column_is_a_metric_in_all_files_or_none(database: Database) -> None:
    metrics = "SELECT name, params, metrics FROM experiments ORDER BY name"
    header = HEADER.replace("\n", ",F1\n")
    database.write("", y=header + csv_row("b").replace("\n", ",high\n"))
    database.set_up()
    accuracy = {"test_accuracy": 0.98}
    assert database.rows(metrics) == [("b", {"f1": "high"}, accuracy)]
    texts = "".join(csv_row(name).replace("\n", ",high\n") for name in "bc")
    database.write("", x=header + csv_row("a").replace("\n", ',"91,5 %"\n'), y=header + texts)
    database.set_up()
    assert database.rows(metrics) == [
        ("a", {}, {**accuracy, "f1": 0.915}),
        ("b", {"f1": "high"}, accuracy),  # a reject keeps the last valid content
    ]
    assert database.rows(
        "SELECT file, line, column_name FROM import_rejects WHERE resolved_at IS NULL ORDER BY line"
    ) == [("data.d/y.csv", 2, "F1"), ("data.d/y.csv", 3, "F1")]


def test_rows_that_an_older_reader_misread_are_read_again(database: Database) -> None:
    database.write(csv_row("a").replace("0.98", '"98,5 %"'))
    database.set_up()
    database.rows(
        """UPDATE imports SET reader_version = 4; UPDATE experiments SET metrics = '{}',
        params = '{"test_accuracy": "98,5 %"}', content_digest = 'that of reader 4'"""
    )
    assert "1 changed" in database.set_up()
    assert database.rows("SELECT params, metrics FROM experiments") == [
        ({}, {"test_accuracy": 0.985})
    ]


def test_extreme_numbers_are_stored_exactly(database: Database) -> None:
    steps, values = [-(2**63) + 1, 0, 2**63 - 1], [5e-324, -1.7976931348623157e308, 0.1]
    loss = f'"{{""Step"": {steps}, ""Value"": {values}}}"'
    database.write(f"a,0.1,0.9,{loss},1\n")
    database.set_up()
    assert database.rows("SELECT steps, metric_values FROM metric_curves") == [(steps, values)]


@pytest.mark.slow
@pytest.mark.timeout(180)
def test_killed_set_ups_converge(database: Database) -> None:
    chance = random.Random(4)
    contents = [
        (
            "".join(csv_row(f"e{n}", 0.1 + version * (n % 3)) for n in range(400))
            + csv_row("bad", "fast" * version),
            HEADER + "".join(csv_row(f"f{n}", version) for n in range(200 * version)),
        )
        for version in (1, 2)
    ]
    expected = []
    for main, additional in contents:
        database.rows("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
        database.write(main, x=additional)
        started = time.monotonic()
        database.set_up()
        duration = time.monotonic() - started
        expected.append(database.rows(CONTENTS))
    database.rows("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    for kill in range(KILLS):
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


@pytest.mark.slow
def test_two_set_ups_at_once_equal_one(database: Database) -> None:
    database.write(
        "".join(csv_row(f"e{n}") for n in range(200)), x=HEADER + csv_row("e1") + csv_row("f")
    )
    database.set_up()
    expected = database.rows(CONTENTS)
    database.rows("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    children = [database.start_set_up() for _ in range(2)]
    assert [(child.communicate(timeout=60), child.returncode)[1] for child in children] == [0, 0]
    assert database.rows(CONTENTS) == expected
