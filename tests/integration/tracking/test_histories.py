"""Histories: points of ended runs move away, and back after a late write."""

from __future__ import annotations

from tests.integration.tracking.conftest import Query
from tracking.runs import Entries, NewRun, Point, RunChange
from tracking.storage import histories
from tracking.storage.stores import Stores


def test_points_of_ended_runs_move_and_return(stores: Stores, sql: Query) -> None:
    run_id = stores.runs.create(NewRun("a", "api")).run.run_id
    sent = [Point("loss", step, step, 1 / (step + 1)) for step in range(5)]
    stores.runs.log(run_id, Entries(sent))
    stores.runs.update(run_id, RunChange(state="finished"))
    _move(stores)
    assert sql("SELECT count(*) FROM run_points") == [(0,)]
    assert sql("SELECT steps FROM run_histories") == [([0, 1, 2, 3, 4],)]
    assert stores.runs.history(run_id, "loss") == sent
    assert stores.runs.get(run_id).latest == {"loss": sent[-1]}
    late = [sent[0], Point("loss", 7, 7, 0.0), Point("acc", 0, 0, 1.0)]
    stores.runs.log(run_id, Entries(late))
    assert stores.runs.history(run_id, "loss") == [*sent, late[1]]
    assert stores.runs.history(run_id, "loss", limit=2, offset=4) == [sent[4], late[1]]
    stores.folding.fold_all()
    assert sql("SELECT count(*) FROM run_histories") == [(0,)]
    assert sql("SELECT metric, steps FROM metric_curves ORDER BY 1") == [
        ("accuracy", [0]),
        ("loss", [0, 1, 2, 3, 4, 7]),
    ]
    _move(stores)
    assert stores.runs.history(run_id, "loss") == [*sent, late[1]]
    assert sql("SELECT count(*) FROM run_points") == [(0,)]


def test_points_of_running_runs_stay(stores: Stores, sql: Query) -> None:
    run_id = stores.runs.create(NewRun("a", "api")).run.run_id
    stores.runs.log(run_id, Entries([Point("loss", 0, 0, 1.0)]))
    _move(stores)
    [(number,)] = sql("SELECT id FROM experiments")
    with stores.database.transaction() as cursor:
        histories.move(cursor, number)
    assert sql("SELECT count(*) FROM run_points") == [(1,)]


def test_start_folds_what_an_earlier_process_stored(stores: Stores, sql: Query) -> None:
    run_id = stores.runs.create(NewRun("a", "api")).run.run_id
    [(number,)] = sql("SELECT id FROM experiments")
    sql("INSERT INTO run_points VALUES (%s, 'loss', 1, 1, 0.5)", number)
    stores.folding.add_stored()
    stores.folding.fold_all()
    assert sql("SELECT last_loss FROM leaderboard WHERE run_id = %s", run_id) == [(0.5,)]


def _move(stores: Stores) -> None:
    with stores.database.transaction() as cursor:
        numbers = histories.ended_runs(cursor, 0, 100)
    for number in numbers:
        with stores.database.transaction() as cursor:
            histories.move(cursor, number)
