"""Leaderboard queries in Postgres: filters, order, pages, summaries and sparklines."""

import json
import os
from collections.abc import Iterator
from typing import Any

import psycopg2
import pytest
from sqlalchemy import Engine

from db.initialize import set_up
from db.settings import from_environment
from web.data.filter_language import parse_filter
from web.data.leaderboard.changes import read_revision
from web.data.leaderboard.groups import GroupQuery, read_groups
from web.data.leaderboard.points import read_points
from web.data.leaderboard_queries import (
    PAGE_ROWS,
    SPARKLINE_POINTS,
    LeaderboardQuery,
    read_all_rows,
    read_column_keys,
    read_leaderboard,
)
from web.data.postgres import make_engine
from web.data.queries import read_snapshot
from web.settings import Settings

POINTS = 1000
# name, task, learning rate, params, metrics
ROWS: list[tuple[str, str, float, dict[str, Any], dict[str, Any]]] = [
    (
        "a",
        "digits",
        0.1,
        {"architecture": "LeNet", "batch_size": 8, "commit": "0012", "note": "ok"},
        {"test_accuracy": 0.9},
    ),
    (
        "b",
        "digits",
        0.01,
        {"architecture": "mlp", "batch_size": 64, "commit": "12", "flag": True},
        {"test_accuracy": 0.98},
    ),
    (
        "c",
        "digits",
        0.001,
        {"batch_size": "many", "seed": 12345678901234567890, "note": None},
        {"test_accuracy": 0.95, "validation_loss": 0.5},
    ),
    ("d", "digits", 0.5, {"note": "it's 100% :x"}, {}),
    ("p", "parity", 0.1, {"batch_size": 8}, {"test_accuracy": 0.99}),
]


@pytest.fixture(scope="module")
def engine(
    postgres_environment: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Engine]:
    file = tmp_path_factory.mktemp("leaderboard") / "data.csv"
    file.write_text("Experiment Name,Learning Rate,Momentum,Loss\n")
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {
            **postgres_environment,
            "DATA_CSV": str(file),
            "DATA_DIR": str(file.parent / "data.d"),
        }.items():
            patch.setenv(name, value)
        set_up(from_environment(os.environ))
        connection = psycopg2.connect("")
    with connection, connection.cursor() as cursor:
        for name, task, rate, params, metrics in ROWS:
            cursor.execute(
                "INSERT INTO experiments (name, task, learning_rate, momentum, params, metrics,"
                " source_file, source_line, content_digest)"
                " VALUES (%s, %s, %s, 0, %s, %s, 'f', 1, '') RETURNING id",
                [name, task, rate, json.dumps(params), json.dumps(metrics)],
            )
            if name in ("a", "b"):
                row = cursor.fetchone()
                assert row is not None
                values = [float(number) for number in range(POINTS if name == "a" else 1, 0, -1)]
                cursor.execute(
                    "INSERT INTO metric_curves (experiment_id, metric, steps, metric_values,"
                    " best_value, best_step) VALUES (%s, 'loss', %s, %s, 1, 1)",
                    [row[0], list(range(len(values))), values],
                )
        cursor.execute("UPDATE experiments SET missing_since = now() WHERE name = 'b'")
        cursor.execute("INSERT INTO projects (id, name, task) VALUES (7, 'sweep', 'digits')")
        cursor.execute(
            "UPDATE experiments SET state = 'running', silent_since = now(), source = 'mlflow',"
            " source_file = NULL, source_line = NULL, content_digest = NULL, project_id = 7,"
            """ owner = 'ann', tags = '{"data set": "A", "mlflow.user": "ann"}',"""
            " learning_rate = NULL, momentum = NULL WHERE name = 'd'"
        )
        cursor.execute(
            "INSERT INTO metric_curves (experiment_id, metric, steps, metric_values, best_value,"
            " best_step) SELECT id, 'validation_loss', '{1}', '{0.25}', 0.25, 1"
            " FROM experiments WHERE name = 'a'"
        )
        cursor.execute("SELECT move_alias('digits', 'champion', 'a', 1, 'd', 'me', 'best')")
    connection.close()
    engine = make_engine(
        Settings(
            database_host=postgres_environment["PGHOST"],
            database_port=int(postgres_environment["PGPORT"]),
            database_name=postgres_environment["PGDATABASE"],
            database_user=postgres_environment["PGUSER"],
            database_password=postgres_environment["PGPASSWORD"],
        )
    )
    yield engine
    engine.dispose()


def found(engine: Engine, text: str, **query: Any) -> str:
    """The names that a filter finds, in alphabetical order."""
    page = read_leaderboard(
        engine, LeaderboardQuery(condition=parse_filter(text, read_column_keys(engine)), **query), 1
    )
    assert page.matching_count == len(page.rows)
    return "".join(sorted(page.rows["experiment"]))


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("lr > 0.05", "ap"),
        ("accuracy >= 98 %", "bp"),
        ("acc = 0.98", "b"),
        ("not acc > 0.9", "a"),  # d has none
        (
            "not (acc > 0.9 and lr < 0.05)",
            "ap",
        ),  # d has neither
        ("acc is missing", "d"),
        ("acc != null", "abcp"),
        ("architecture ~ NET", "a"),
        ("architecture !~ net", "b"),
        ("not architecture ~ net", "b"),
        ("batch_size = 8", "ap"),
        ("'Batch Size' > 8", "b"),
        ("not batch_size > 8", "ap"),  # many is not a number
        ("batch_size = many or batch_size = 64", "bc"),
        ("batch_size != 8", "bc"),
        ("batch_size in (8, many)", "acp"),
        ("batch_size not in (8, many)", "b"),
        ("commit = 0012", "a"),
        ("commit = 12", "b"),
        ("flag = true", "b"),
        ("seed = 12345678901234567890", "c"),
        ('note ~ "\'s 100% :X"', "d"),
        ("note is missing", "bcp"),
        ("loss = 1", "ab"),
        ("experiment in (a, b) and task = digits", "ab"),
        ("lr is missing", "d"),
        ("validation_loss < 0.3 and loss = 1", "a"),
        ("val_loss = 0.5", "c"),  # a number of a CSV file
        ("state = silent and source = mlflow", "d"),
        ("state = finished", "abcp"),
        ("project ~ SWEEP and owner = ann", "d"),
        ("project is missing", "abcp"),
        ("tag.mlflow.user = ann", "d"),
        ("'tag.data set' ~ a", "d"),
        ("tag.lost is missing", "abcdp"),
        ("tags ~ 'data set=A, mlflow'", "d"),
        ("tags is missing", "abcp"),
        ("experiment >= c", "cdp"),
        ("batch_size > 1e299 or batch_size < -1e299", ""),
    ],
)
def test_filter_finds(engine: Engine, text: str, names: str) -> None:
    assert found(engine, text) == names


def test_filter_is_within_the_task(engine: Engine) -> None:
    assert found(engine, "batch_size = 8 or acc = 0.9", task="digits") == "a"


def test_value_is_never_sql(engine: Engine) -> None:
    assert found(engine, "experiment = 'a'' OR 1=1 --' or note = ':names %s'") == ""


def test_newest_experiments_skip_removed_ones(engine: Engine) -> None:
    names = [
        set(
            read_leaderboard(engine, LeaderboardQuery(task="digits", latest=number), 1).rows[
                "experiment"
            ]
        )
        for number in (2, 3, 4)
    ]
    assert names == [{"c", "d"}, {"a", "c", "d"}, {"a", "b", "c", "d"}]


def test_picked_names_take_precedence(engine: Engine) -> None:
    query = LeaderboardQuery(
        names=("a", "p", "lost"), condition=parse_filter("lr > 1", ()), task="digits", latest=1
    )
    assert list(read_leaderboard(engine, query, 1).rows["experiment"]) == ["a", "p"]


@pytest.mark.parametrize(
    ("sort", "descending", "names"),
    [
        ("test_accuracy", True, "bcad"),
        ("test_accuracy", False, "acbd"),
        ("experiment", False, "abcd"),
        ("newest", True, "dcba"),
        ("batch_size", True, "bacd"),  # numbers, then texts, then nothing
        ("batch_size", False, "abcd"),
        ("there is no such key", True, "dcba"),
        ("best_validation_loss", False, "acdb"),
        ("state", True, "dcba"),
    ],
)
def test_rows_without_a_value_come_last(
    engine: Engine,
    sort: str,
    descending: bool,  # noqa: FBT001
    names: str,
) -> None:
    rows = read_leaderboard(
        engine, LeaderboardQuery(task="digits", sort=sort, descending=descending), 1
    ).rows
    assert "".join(rows["experiment"]) == names


def test_rows_of_one_task_are_together(engine: Engine) -> None:
    assert list(read_leaderboard(engine, LeaderboardQuery(), 1).rows["task"]) == ["digits"] * 4 + [
        "parity"
    ]


def test_task_summary_excludes_removed_experiments(engine: Engine) -> None:
    [digits, parity] = sorted(
        read_leaderboard(engine, LeaderboardQuery(latest=1), 1).task_summaries,
        key=lambda task_summaries: task_summaries.task,
    )
    assert (
        digits.experiments,
        digits.removed,
        digits.most_accurate_experiment,
        digits.best_accuracy,
    ) == (
        3,
        1,
        "c",
        0.95,
    )
    assert (
        digits.quartile_accuracy,
        digits.lowest_loss_experiment,
        digits.lowest_loss,
        digits.lowest_validation_loss_experiment,
        digits.lowest_validation_loss,
        parity.experiments,
    ) == (
        0.925,
        "a",
        1.0,
        "a",
        0.25,
        1,
    )


def test_row_has_champion_and_sparkline(
    engine: Engine,
) -> None:
    rows = read_leaderboard(engine, LeaderboardQuery(task="digits"), 1).rows.set_index("experiment")
    assert list(rows.index[rows["champion"]]) == ["a"]
    curves = rows["loss_curve"].to_dict()
    curve = curves["a"]
    assert (len(curve), curve[0], curve[-1], curve == sorted(curve, reverse=True)) == (
        SPARKLINE_POINTS,
        POINTS,
        1.0,
        True,
    )
    assert (curves["b"], curves["d"]) == ([1.0], [])


def test_archived_runs_are_hidden_but_picked_ones_are_found(engine: Engine) -> None:
    write(engine, "UPDATE experiments SET archived_at = now() WHERE name IN ('b', 'p')")
    try:
        hidden, shown, picked = (
            read_leaderboard(engine, query, 1)
            for query in (
                LeaderboardQuery(),
                LeaderboardQuery(archived=True),
                LeaderboardQuery(names=("b",)),
            )
        )
        assert [sorted(page.rows["experiment"]) for page in (hidden, shown, picked)] == [
            ["a", "c", "d"],
            ["a", "b", "c", "d", "p"],
            ["b"],
        ]
        assert [page.experiment_count(None) for page in (hidden, shown)] == [3, 5]
        newest = LeaderboardQuery(task="digits", latest=4)
        assert read_leaderboard(engine, newest, 1).matching_count == 3
        snapshot = read_snapshot(engine)
        assert (set(snapshot.task_of), snapshot.other_names) == (
            {"a", "c", "d"},
            {"b": "b", "p": "p"},
        )
    finally:
        write(engine, "UPDATE experiments SET archived_at = NULL")


def test_snapshot_knows_previous_names(engine: Engine) -> None:
    write(engine, "SELECT rename_experiment('c', 'c2', 'ann')")
    assert read_snapshot(engine).other_names == {"c": "c2"}
    write(engine, "SELECT rename_experiment('c2', 'c', 'ann')")
    write(engine, "DELETE FROM previous_names")


def test_groups_have_count_mean_and_spread(engine: Engine) -> None:
    groups = read_groups(
        engine,
        GroupQuery(LeaderboardQuery(), ("task", "batch_size"), "test_accuracy"),
        read_column_keys(engine),
    )
    found = (
        groups.drop(columns=["names", "has_baseline"]).astype("object").where(groups.notna(), None)
    )
    assert found.to_numpy().tolist() == [
        ["parity", 8, 1, 1, 0.99, None, 0.99, 0.99],
        ["digits", 64, 1, 1, 0.98, None, 0.98, 0.98],
        ["digits", "many", 1, 1, 0.95, None, 0.95, 0.95],
        ["digits", 8, 1, 1, 0.9, None, 0.9, 0.9],
        ["digits", None, 1, 0, None, None, None, None],
    ]
    [of_digits] = read_groups(
        engine,
        GroupQuery(LeaderboardQuery(task="digits"), ("state",), "test_accuracy", "b"),
        (),
    )[
        ["runs", "results", "mean", "deviation", "lowest", "highest", "names", "has_baseline"]
    ].to_numpy()[:1]
    assert list(of_digits[:6]) == pytest.approx([3, 3, 0.9433, 0.0404, 0.9, 0.98], abs=1e-4)
    assert list(of_digits[6:]) == [["a", "b", "c"], True]
    assert not groups["has_baseline"].any()


def test_groups_of_a_number_in_params_and_of_a_text(engine: Engine) -> None:
    """A text has no mean."""
    keys = read_column_keys(engine)
    for result, mean in (("batch_size", 36.0), ("architecture", None)):
        query = GroupQuery(LeaderboardQuery(task="digits"), ("momentum",), result)
        groups = read_groups(engine, query, keys)
        zero = groups[groups["group_0"] == 0].iloc[0]
        assert (zero["mean"] if mean else groups["mean"].dropna().to_list() or None) == mean


def test_points_have_any_columns(engine: Engine) -> None:
    query = LeaderboardQuery(task="digits", sort="batch_size", descending=False)
    columns = ["batch_size", "test_accuracy", "architecture", "state", "best_validation_loss"]
    points = read_points(engine, query, columns, read_column_keys(engine), 3)
    assert points.to_numpy().tolist() == [
        ["a", "digits", 8, 0.9, "LeNet", "finished", 0.25],
        ["b", "digits", 64, 0.98, "mlp", "finished", None],
        ["c", "digits", "many", 0.95, None, "finished", 0.5],
    ]
    with pytest.raises(ValueError, match="lost"):
        read_points(engine, query, ["lost"], (), 3)


def test_revision_changes_with_every_step_of_a_run(engine: Engine) -> None:
    """A new run, its points, its silence and its end."""
    seen = [read_revision(engine)]
    changes = (
        (
            "INSERT INTO experiments (name, task, source, state, heartbeat_at)"
            " VALUES ('live', 'live', 'api', 'running', '2026-01-01 00:00:00Z')"
        ),
        "UPDATE experiments SET heartbeat_at = heartbeat_at + interval '2 s' WHERE name = 'live'",
        "UPDATE experiments SET silent_since = now() WHERE name = 'live'",
        "UPDATE experiments SET state = 'failed', silent_since = NULL WHERE name = 'live'",
    )
    for change in changes:
        write(engine, change)
        seen.append(read_revision(engine))
    assert len(set(seen)) == len({one.runs for one in seen}) + 1 == len(changes) + 1
    write(engine, "DELETE FROM experiments WHERE name = 'live'")


def write(engine: Engine, statement: str) -> None:
    url = engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    connection = psycopg2.connect(url)
    with connection, connection.cursor() as cursor:
        cursor.execute("SET TRANSACTION READ WRITE")
        cursor.execute(statement)
    connection.close()


def test_page_beyond_the_last_is_the_last(engine: Engine) -> None:
    with psycopg2.connect(
        str(engine.url.set(drivername="postgresql").render_as_string(hide_password=False))
    ) as connection:
        connection.set_session(readonly=False)
        with connection.cursor() as cursor:
            cursor.execute(
                "INSERT INTO experiments (name, task, learning_rate, momentum, source_file,"
                " source_line, content_digest)"
                " SELECT 'x' || n, 'many', 1, 0, 'f', 1, '' FROM generate_series(1, 250) n"
            )
    connection.close()
    query = LeaderboardQuery(task="many", sort="newest")
    [first, last] = [read_leaderboard(engine, query, page) for page in (1, 99)]
    assert (
        len(first.rows),
        first.rows["experiment"][0],
        first.matching_count,
        first.page_count,
    ) == (
        PAGE_ROWS,
        "x250",
        250,
        3,
    )
    assert (len(last.rows), last.rows["experiment"].iloc[-1], last.page) == (50, "x1", 3)
    points = read_points(engine, query, ["momentum"], (), 120)
    assert (len(read_all_rows(engine, query)), len(points)) == (250, 120)
