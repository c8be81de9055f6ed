"""Maintenance: silent runs, points of ended runs, and projects that runs belong to."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from servicekit.tracking_status import TrackingStatus, read_status
from tests.integration.tracking.conftest import Query
from tracking.errors import InvalidError, NameTakenError, UnknownProjectError
from tracking.maintenance import Maintenance
from tracking.runs import Condition, Entries, NewRun, Point, ProjectChange, RunChange
from tracking.storage.folding import Folding
from tracking.storage.stores import Stores

AGE = "UPDATE experiments SET heartbeat_at = heartbeat_at - interval '700 s'"


def test_silent_run_is_marked_until_it_speaks(stores: Stores, sql: Query, tmp_path: Path) -> None:
    socket, status = tmp_path / "socket", TrackingStatus()
    run_id = stores.runs.create(NewRun("a", "api")).run.run_id
    stores.runs.log(run_id, Entries([Point("loss", 0, 0, 1.0)]))
    stores.folding.fold_all()
    stores.runs.create(NewRun("b", "api"))
    sql(AGE + " WHERE name = 'a'")
    Maintenance(stores, status, socket, 600).work()
    assert sql("SELECT name FROM experiments WHERE silent_since = heartbeat_at") == [("a",)]
    assert (status.running, status.silent) == (2, 1)
    Maintenance(open_again(stores), status, socket, 600).work()  # after a restart
    assert sql("SELECT count(silent_since) FROM experiments") == [(1,)]
    status.write(socket)
    assert read_status(socket) == status
    stores.runs.log(run_id, Entries())
    Maintenance(stores, status, socket, 600).work()
    assert sql("SELECT count(silent_since) FROM experiments") == [(0,)]


def open_again(stores: Stores) -> Stores:
    """Return stores that know nothing of what these did."""
    return replace(stores, folding=Folding(stores.database))


def test_points_of_a_quiet_ended_run_move(stores: Stores, sql: Query, tmp_path: Path) -> None:
    for name in ("a", "b"):
        run_id = stores.runs.create(NewRun(name, "api")).run.run_id
        stores.runs.log(run_id, Entries([Point("loss", 0, 0, 1.0)]))
        stores.runs.update(run_id, RunChange(state="failed"))
    sql(AGE + " WHERE name = 'a'")
    Maintenance(stores, TrackingStatus(), tmp_path / "socket", 600).work()
    assert sql("SELECT name FROM run_histories JOIN experiments ON id = experiment_id") == [("a",)]
    assert sql("SELECT name FROM run_points JOIN experiments ON id = experiment_id") == [("b",)]


def test_projects_are_unique_by_name(stores: Stores, sql: Query) -> None:
    sql("INSERT INTO experiments (name, source, task) VALUES ('x', 'api', 'parity')")
    parity, other = stores.projects.create("parity"), stores.projects.create("other", {"a": "1"})
    assert (parity.task, other.task) == ("parity", "mnist")
    assert stores.projects.get_or_create("other") == other
    with pytest.raises(NameTakenError):
        stores.projects.create("parity")
    with pytest.raises(NameTakenError):
        stores.projects.update(other.id, ProjectChange(name="parity"))
    with pytest.raises(InvalidError):
        stores.projects.create(" ")
    with pytest.raises(UnknownProjectError):
        stores.projects.get_by_name("none")
    new = NewRun("a", "api", project_id=parity.id)
    assert stores.runs.create(new).run.task == "parity"


def test_projects_are_searched_and_deleted(stores: Stores) -> None:
    project = stores.projects.create("p", {"a": "1", "b": "2"})
    changed = stores.projects.update(
        project.id, ProjectChange(tags={"a": None}, is_deleted=True, name="q")
    )
    assert (changed.name, changed.tags, changed.deleted_at is None) == ("q", {"b": "2"}, False)
    assert [found.name for found in stores.projects.search()] == ["Default"]
    condition = Condition("tag", "b", "=", "2")
    assert stores.projects.search([condition], deleted=None) == [changed]
