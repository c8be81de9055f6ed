"""Schedules: checked before they are stored, and shown with their next time."""

from typing import Any

import pytest

from inference.api.learning.schedules import SchedulesApi
from inference.database.learning.datasets import Datasets
from inference.database.learning.errors import UnknownDatasetError
from inference.database.learning.schedules import Schedules
from inference.errors import InvalidValueError, MalformedRequestError, UnknownExperimentError
from tests.support.fake_database import FakeDatabase

ROW = {"task": "mnist", "cron": "0 3 * * *", "enabled": True}
NEW = {"cron": "0  3 * * * ", "experiment_name": "a", "by": "ann"}


def api(*rows: list[dict[str, Any]]) -> tuple[SchedulesApi, FakeDatabase]:
    database = FakeDatabase(*rows)
    tasks = {"a": "mnist"}
    return SchedulesApi(Schedules(database), Datasets(database), lambda: tasks), database


def test_schedule_has_its_next_time_while_it_is_enabled() -> None:
    own, _ = api([ROW], [{**ROW, "enabled": False}], [ROW])
    assert own.list_schedules()["schedules"][0]["next_at"].endswith("T03:00:00Z")
    assert own.get_schedule("mnist")["next_at"] is None
    assert own.delete_schedule("mnist") == {"task": "mnist", "deleted": True}


def test_put_stores_the_expression_with_single_spaces() -> None:
    own, database = api([ROW])
    own.put_schedule("mnist", NEW)
    arguments = database.queries[0][1]
    assert isinstance(arguments, dict)
    assert (arguments["cron"], arguments["enabled"], arguments["by"]) == ("0 3 * * *", True, "ann")


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        ({"cron": "daily"}, InvalidValueError),
        ({"cron": 5}, MalformedRequestError),
        ({"experiment_name": "b"}, UnknownExperimentError),
        ({"enabled": "yes"}, MalformedRequestError),
        ({"dataset": "d" * 64}, UnknownDatasetError),
        ({"reason": "why"}, MalformedRequestError),
        ({"by": ""}, MalformedRequestError),
    ],
)
def test_bad_schedule_is_not_stored(changes: dict[str, Any], error: type[Exception]) -> None:
    own, database = api([])
    with pytest.raises(error):
        own.put_schedule("mnist", {**NEW, **changes})
    assert all("INSERT" not in statement for statement, _ in database.queries)


def test_bad_task_raises() -> None:
    own, _ = api()
    for call in (own.get_schedule, own.delete_schedule):
        with pytest.raises(MalformedRequestError):
            call("\x00")
