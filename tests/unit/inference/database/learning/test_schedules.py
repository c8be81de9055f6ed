"""Schedules: one row per task."""

import pytest

from inference.database.learning.errors import UnknownScheduleError
from inference.database.learning.schedules import NewSchedule, Schedules
from tests.support.fake_database import FakeDatabase

ROW = {"task": "mnist", "cron": "0 3 * * *"}


def test_rows_are_returned() -> None:
    assert Schedules(FakeDatabase([ROW])).all() == [ROW]
    assert Schedules(FakeDatabase([ROW])).one("mnist") == ROW


def test_store_sends_parameters_as_json() -> None:
    database = FakeDatabase([ROW])
    schedule = NewSchedule("mnist", "0 3 * * *", "a", {"seeds": 1}, enabled=True, by="ann")
    assert Schedules(database).store(schedule) == ROW
    assert database.queries[0][1] == {**vars(schedule), "params": '{"seeds": 1}'}


def test_task_without_a_schedule_raises() -> None:
    for change in ("one", "delete"):
        with pytest.raises(UnknownScheduleError):
            getattr(Schedules(FakeDatabase([])), change)("mnist")
    Schedules(FakeDatabase([ROW])).delete("mnist")
