"""Runs in Postgres: creation, points, parameters, tags, changes and search."""

from __future__ import annotations

import math

import pytest

from tests.integration.tracking.conftest import Query, in_threads
from tracking.errors import (
    ChangedNoteError,
    ChangedParamError,
    ConflictError,
    HasModelsError,
    InvalidError,
    NameTakenError,
    UnknownProjectError,
    UnknownRunError,
)
from tracking.runs import Condition, Entries, NewRun, Order, Point, RunChange
from tracking.storage.stores import Stores


def points(metric: str, *values: float, start: int = 0) -> list[Point]:
    return [Point(metric, start + i, 1000 + start + i, value) for i, value in enumerate(values)]


def start(stores: Stores, name: str = "lenet", **fields: object) -> str:
    return stores.runs.create(NewRun(name, "api", **fields)).run.run_id  # type: ignore[arg-type]


def test_create_repeated_run_id_returns_same_run(stores: Stores) -> None:
    new = NewRun("lenet", "api", run_id="a" * 32, params={"lr": "0.1", "opt_name": "SGD"})
    first, second = stores.runs.create(new), stores.runs.create(new)
    assert (first.is_new, second.is_new) == (True, False)
    assert first.run == second.run
    assert (first.run.learning_rate, first.run.momentum, first.run.state) == (0.1, 0.0, "running")


def test_create_taken_name_gets_number(stores: Stores) -> None:
    names = [stores.runs.create(NewRun("lenet", "api")).run.name for _ in range(3)]
    assert names == ["lenet", "lenet_2", "lenet_3"]
    long = [stores.runs.create(NewRun("x" * 128, "api")).run.name for _ in range(3)]
    assert long == ["x" * 128, "x" * 126 + "_2", "x" * 126 + "_3"]


def test_create_at_once_gives_unique_names(stores: Stores) -> None:
    names: list[str] = []
    in_threads(8, lambda _: names.append(stores.runs.create(NewRun("a", "api")).run.name))
    assert sorted(names) == ["a", *(f"a_{number}" for number in range(2, 9))]


def test_create_same_key_at_once_creates_one_run(stores: Stores, sql: Query) -> None:
    in_threads(6, lambda _: start(stores, creation_key="key"))
    assert sql("SELECT name FROM experiments") == [("lenet",)]


@pytest.mark.parametrize("new", [NewRun("-x", "api"), NewRun("x", "api", task="A")])
def test_create_invalid_is_refused(stores: Stores, new: NewRun) -> None:
    with pytest.raises(InvalidError):
        stores.runs.create(new)


def test_create_unknown_project_is_refused(stores: Stores) -> None:
    with pytest.raises(UnknownProjectError):
        start(stores, project_id=77)


def test_log_repeated_points_are_stored_once(stores: Stores, sql: Query) -> None:
    run_id = start(stores)
    for _ in range(2):
        stores.runs.log(run_id, Entries(points("loss", 3.0, 2.0, math.nan)))
    assert [point.step for point in stores.runs.history(run_id, "loss")] == [0, 1, 2]
    stores.folding.fold_all()
    [row] = sql("SELECT steps, best_value, best_step, last_value FROM metric_curves")
    assert row[:3] == ([0, 1, 2], 2.0, 1)
    assert math.isnan(row[3])
    assert sql("SELECT metrics FROM experiments") == [({"loss": 2.0},)]


def test_log_later_points_extend_the_curve(stores: Stores, sql: Query) -> None:
    run_id = start(stores)
    for step in (0, 5, 10):
        stores.runs.log(run_id, Entries(points("val_acc", 0.5, 0.6, start=step)))
        stores.folding.fold_all()
    stores.runs.log(run_id, Entries([Point("val_acc", 1, 9999, 0.9)]))
    stores.folding.fold_all()
    expected = [("validation_accuracy", [0, 1, 5, 6, 10, 11], [0.5, 0.9, 0.5, 0.6, 0.5, 0.6])]
    assert sql("SELECT metric, steps, metric_values FROM metric_curves") == expected
    assert sql("SELECT best_value, best_step FROM metric_curves") == [(0.9, 1)]


def test_points_committed_while_a_curve_is_read_extend_it(stores: Stores, sql: Query) -> None:
    """A curve is rebuilt once only, also if points are committed in the meantime.

    The changed value is gone if the curve is rebuilt.
    """
    run_id = start(stores)
    number = stores.runs.get(run_id).id
    insert = "INSERT INTO run_points VALUES (%s, 'loss', %s, %s, %s)"
    stores.runs.log(run_id, Entries(points("loss", 1.0, 2.0)))
    stores.folding.fold_all()
    late, ahead = Point("loss", 0, 9999, 0.5), Point("loss", 2, 9999, 3.0)
    sql(insert, number, ahead.step, ahead.logged_at, ahead.value)  # reported below
    stores.runs.log(run_id, Entries([late]))
    stores.folding.fold_all()
    assert sql("SELECT metric_values FROM metric_curves") == [([0.5, 2.0, 3.0],)]
    sql("UPDATE metric_curves SET metric_values[1] = 7")
    stores.folding.add(number, [ahead])
    stores.runs.log(run_id, Entries([Point("loss", 3, 9999, 4.0)]))
    stores.folding.fold_all()
    assert sql("SELECT metric_values FROM metric_curves") == [([7.0, 2.0, 3.0, 4.0],)]


def test_fold_curves_of_many_runs_at_once(stores: Stores, sql: Query) -> None:
    """One curve is extended, one is not as expected, and one is new."""
    runs = [start(stores, name) for name in ("a", "b", "c")]
    for run_id in runs[:2]:
        stores.runs.log(run_id, Entries([*points("loss", 1.0), *points("acc", 0.5)]))
    stores.folding.fold_all()
    other = stores.runs.get_by_name("b").id
    sql(
        "UPDATE metric_curves SET steps = '{0, 5}', metric_values = '{1, 9}'"
        " WHERE metric = 'loss' AND experiment_id = %s",
        other,
    )
    for run_id in runs:
        stores.runs.log(
            run_id, Entries([*points("loss", math.inf, start=1), *points("acc", 0.9, start=1)])
        )
    assert stores.folding.fold_all() == 10
    query = "SELECT name, metric, metric_values, best_value FROM metric_curves JOIN experiments"
    assert sql(query + " e ON e.id = experiment_id WHERE name < 'd' ORDER BY 1, 2") == [
        ("a", "accuracy", [0.5, 0.9], 0.9),
        ("a", "loss", [1.0, math.inf], 1.0),
        ("b", "accuracy", [0.5, 0.9], 0.9),
        ("b", "loss", [1.0, math.inf], 1.0),
        ("c", "accuracy", [0.9], 0.9),
        ("c", "loss", [math.inf], math.inf),
    ]
    assert sql("SELECT metrics FROM experiments ORDER BY name") == [
        ({"loss": 1.0, "accuracy": 0.9},),
        ({"loss": 1.0, "accuracy": 0.9},),
        ({"accuracy": 0.9},),
    ]


def test_log_validation_twice_keeps_val(stores: Stores, sql: Query) -> None:
    run_id = start(stores)
    for metric, value in (("validation_loss", 1.0), ("val_loss", 2.0), ("validation_loss", 3.0)):
        stores.runs.log(run_id, Entries([Point(metric, 0, int(value), value)]))
        stores.folding.fold_all()
    assert sql("SELECT metric, metric_values FROM metric_curves") == [("validation_loss", [2.0])]


def test_page_behind_a_history_has_no_points_of_the_curve(stores: Stores) -> None:
    """The curve has the points of val_accuracy, which has the same name of the house."""
    run_id, own = start(stores), points("validation_accuracy", 0.5)
    stores.runs.log(run_id, Entries([*own, *points("val_accuracy", 0.1, 0.2, 0.3)]))
    stores.folding.fold_all()
    assert stores.runs.points(run_id, "validation_accuracy") == own
    assert stores.runs.points(run_id, "validation_accuracy", 10, 1) == []


def test_log_points_of_one_step_are_numbered(stores: Stores, sql: Query) -> None:
    run_id = start(stores)
    for number in range(3):
        stores.runs.log(run_id, Entries([Point("val_loss", 0, 10 + number, 3.0 - number)]))
        stores.folding.fold_all()
    assert sql("SELECT steps, metric_values FROM metric_curves") == [([0, 1, 2], [3.0, 2.0, 1.0])]


def test_log_huge_steps_and_many_points_are_stored(stores: Stores, sql: Query) -> None:
    run_id = start(stores)
    many = [Point("loss", step, step, math.sin(step)) for step in range(9_999)]
    stores.runs.log(run_id, Entries([*many, Point("loss", 2**63 - 1, 0, math.inf)]))
    stores.folding.fold_all()
    assert sql("SELECT points, last_step FROM metric_curves") == [(10_000, 2**63 - 1)]
    with pytest.raises(InvalidError, match="64-bit"):
        stores.runs.log(run_id, Entries([Point("loss", 2**63, 0, 1.0)]))
    with pytest.raises(InvalidError, match="10,000"):
        stores.runs.log(run_id, Entries([*many, *points("acc", 1.0, 2.0)]))


def test_log_changed_param_stores_nothing(stores: Stores) -> None:
    run_id = start(stores, params={"lr": "0.1"})
    with pytest.raises(ChangedParamError):
        stores.runs.log(run_id, Entries(points("loss", 1.0), {"lr": "0.2", "a": "1"}, {"t": "x"}))
    run = stores.runs.get(run_id)
    assert (run.params, run.tags, run.latest) == ({"lr": "0.1"}, {}, {})
    stores.runs.log(run_id, Entries(points("loss", 1.0), {"lr": "0.1", "a": "1"}, {"t": "x"}))
    run = stores.runs.get(run_id)
    assert (run.params, run.tags) == ({"lr": "0.1", "a": "1"}, {"t": "x"})
    assert run.latest == {"loss": Point("loss", 0, 1000, 1.0)}


def test_log_unknown_run_is_refused(stores: Stores, sql: Query) -> None:
    with pytest.raises(UnknownRunError):
        stores.runs.log("f" * 32, Entries(points("loss", 1.0)))
    run_id = start(stores)
    stores.runs.log(run_id, Entries(points("loss", 1.0)))
    sql("DELETE FROM experiments")
    with pytest.raises(UnknownRunError):
        stores.runs.log(run_id, Entries(points("loss", 2.0)))


def test_log_of_two_clients_at_once_loses_nothing(stores: Stores, sql: Query) -> None:
    runs = [start(stores), start(stores)]

    def write(number: int) -> None:
        for step in range(50):
            entries = Entries([Point("loss", step, step, number // 2 + step / 100)])
            stores.runs.log(runs[number % 2], entries)

    in_threads(4, write)
    assert sql("SELECT count(*) FROM run_points") == [(200,)]
    stores.folding.fold_all()
    assert sql("SELECT points FROM metric_curves") == [(50,), (50,)]


def test_update_state_folds_at_once(stores: Stores, sql: Query) -> None:
    run_id = start(stores)
    stores.runs.log(run_id, Entries(points("loss", 2.0, 1.0)))
    run = stores.runs.update(run_id, RunChange(state="finished"))
    assert (run.state, run.metrics) == ("finished", {"loss": 1.0})
    assert run.ended_at is not None
    assert sql("SELECT last_loss, state FROM leaderboard") == [(1.0, "finished")]
    resumed = stores.runs.update(run_id, RunChange(state="running"))
    assert (resumed.state, resumed.ended_at) == ("running", None)


def test_update_note_with_old_revision_conflicts(stores: Stores) -> None:
    run_id = start(stores)
    first = stores.runs.update(run_id, RunChange(note="a", note_revision=0))
    assert (first.note, first.note_revision) == ("a", 1)
    repeated = stores.runs.update(run_id, RunChange(note="a", note_revision=0))
    assert (repeated.note_revision, repeated.note_author) == (1, None)
    with pytest.raises(ChangedNoteError) as error:
        stores.runs.update(run_id, RunChange(note="b", note_revision=0))
    assert error.value.extra == {"note": "a", "note_revision": 1}
    by_ann = stores.runs.update(run_id, RunChange(note="c", tags={"t": "v"}, author="ann"))
    assert (by_ann.note_author, by_ann.tags_author) == ("ann", "ann")
    same = stores.runs.update(run_id, RunChange(note="c", tags={"t": "v"}, author="bob"))
    assert (same.note_author, same.tags_author) == ("ann", "ann")
    by_bob = stores.runs.update(run_id, RunChange(tags={"t": None}, author="bob"))
    assert (by_bob.note_author, by_bob.tags_author) == ("ann", "bob")


def test_update_name_keeps_the_previous_one(stores: Stores, sql: Query) -> None:
    run_id, other = start(stores, "a"), start(stores, "b")
    assert stores.runs.update(run_id, RunChange(name="c", author="me")).name == "c"
    assert stores.runs.get_by_name("a").name == "c"
    assert sql("SELECT name, renamed_by FROM previous_names") == [("a", "me")]
    for name in ("a", "c"):
        with pytest.raises(NameTakenError):
            stores.runs.update(other, RunChange(name=name))
    assert stores.runs.create(NewRun("a", "api")).run.name == "a_2"
    sql(
        "INSERT INTO model_versions (id, experiment_name, version, digest, format, task, classes,"
        " input, output, status, first_seen_at, status_since) VALUES (gen_random_uuid(), 'b', 1,"
        " 'd', 'litert', 'mnist', '{}', '{}', 'probabilities', 'READY', now(), now())"
    )
    with pytest.raises(HasModelsError):
        stores.runs.update(other, RunChange(name="d"))


def test_update_tags_owner_and_archive(stores: Stores) -> None:
    run_id = start(stores, tags={"a": "1", "b": "2"})
    change = RunChange(tags={"a": None, "c": "3"}, owner="ann", is_archived=True)
    run = stores.runs.update(run_id, change)
    assert (run.tags, run.owner) == ({"b": "2", "c": "3"}, "ann")
    assert run.archived_at is not None
    assert stores.runs.update(run_id, RunChange(is_archived=False)).archived_at is None


def test_row_of_csv_takes_note_but_no_points(stores: Stores, sql: Query) -> None:
    sql("INSERT INTO experiments (name, learning_rate, momentum, source_file, source_line,"
        " content_digest) VALUES ('csv', 1, 0, 'data.csv', 2, '')")  # fmt: skip
    run_id = stores.runs.find("csv")
    assert stores.runs.update(run_id, RunChange(note="x")).note == "x"
    stores.runs.log(run_id, Entries(tags={"t": "v"}))
    with pytest.raises(ConflictError):
        stores.runs.update(run_id, RunChange(state="failed"))
    with pytest.raises(ConflictError):
        stores.runs.log(run_id, Entries(points("loss", 1.0)))


def test_curve_of_csv_row_and_of_run_by_its_name(stores: Stores, sql: Query) -> None:
    sql("INSERT INTO experiments (name, source_file, source_line, content_digest)"
        " VALUES ('csv', 'data.csv', 2, '')")  # fmt: skip
    sql("INSERT INTO metric_curves"
        " (experiment_id, metric, steps, metric_values, best_value, best_step) SELECT id,"
        " 'validation_loss', '{100,250}', '{0.5,0.25}', 0.25, 250 FROM experiments")  # fmt: skip
    row, run = stores.runs.find("csv"), start(stores)
    assert stores.runs.curve(row, "val_loss") == [(100, 0.5), (250, 0.25)]
    assert stores.runs.curve(row, "loss") == []
    stores.runs.log(run, Entries(points("val_loss", 1.0, 0.75)))
    stores.folding.fold_all()
    assert [value for _, value in stores.runs.curve(run, "validation_loss")] == [1.0, 0.75]
    assert [one.value for one in stores.runs.points(run, "validation_loss")] == [1.0, 0.75]
    with pytest.raises(UnknownRunError):
        stores.runs.curve("0" * 32, "loss")


def test_search_conditions_and_order(stores: Stores) -> None:
    for number in range(4):
        run_id = start(stores, f"r{number}", params={"p": str(number)}, tags={"t": f"x{number}"})
        stores.runs.log(run_id, Entries([Point("val_loss", 0, 0, number / 10)]))

    def found(*conditions: Condition, **keywords: object) -> list[str]:
        runs = stores.runs.search([0], conditions, **keywords)  # type: ignore[arg-type]
        return [run.name for run in runs]

    assert found() == ["r3", "r2", "r1", "r0"]
    assert found(Condition("metric", "val_loss", "<", 0.15)) == ["r1", "r0"]
    assert found(Condition("param", "p", "=", "2")) == ["r2"]
    assert found(Condition("tag", "t", "LIKE", "x%"), limit=1, offset=1) == ["r2"]
    assert found(Condition("attribute", "name", "IN", ["r0", "r3"])) == ["r3", "r0"]
    assert found(order_by=[Order("metric", "val_loss")]) == ["r0", "r1", "r2", "r3"]
    with pytest.raises(InvalidError):
        found(Condition("metric", "val_loss", "<", "x"))
    with pytest.raises(InvalidError):
        found(Condition("attribute", "password", "=", "x"))
    assert stores.runs.search([1]) == []
