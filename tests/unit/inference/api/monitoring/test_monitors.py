"""Monitors: places of pages, and arguments that are rejected."""

from typing import Any

import pytest

from inference.api.monitoring.monitors import LATEST_MICROSECONDS, MonitorsApi
from inference.database.monitoring.errors import UnknownMonitorError
from inference.database.monitoring.monitors import NO_MONITOR, Monitors
from inference.errors import MalformedRequestError
from tests.support.fake_database import FakeDatabase

LEASE = [{"seen_at": None, "is_alive": False}]
DETECTOR = [{"monitor_id": 4, "features": ["peak"]}]


def test_monitors_come_with_the_sign_of_life() -> None:
    database = FakeDatabase([], LEASE)
    answer = MonitorsApi(Monitors(database)).list_monitors("mnist")
    assert answer == {"monitors": [], "is_alive": False, "seen_at": None, "no_monitor": NO_MONITOR}
    assert database.queries[0][1] == {"task": "mnist"}
    with pytest.raises(MalformedRequestError):
        MonitorsApi(Monitors(FakeDatabase())).list_monitors("A")


def test_cursor_is_the_place_of_the_last_check() -> None:
    rows = [{"images": 200, "microseconds": 9}, {"images": 100, "microseconds": 5}]
    database = FakeDatabase(DETECTOR, rows, DETECTOR, [])
    api = MonitorsApi(Monitors(database))
    page = api.list_checks(4, 1)
    assert (page["checks"], page["next"]) == ([{"images": 200}], "200.9")
    api.list_checks(4, 1, page["next"])
    assert database.queries[3][1] == {"monitor": 4, "limit": 2, "images": 200, "microseconds": 9}


@pytest.mark.parametrize("cursor", ["", "1", "1.", ".1", "1.x", "1.1\n", "9" * 19 + ".1"])
def test_bad_cursor_raises(cursor: str) -> None:
    with pytest.raises(MalformedRequestError) as raised:
        MonitorsApi(Monitors(FakeDatabase())).list_checks(1, 1, cursor)
    assert raised.value.path == "cursor"


def test_time_of_a_cursor_is_one_that_postgres_knows() -> None:
    database = FakeDatabase(DETECTOR, [])
    MonitorsApi(Monitors(database)).list_checks(4, 1, f"1.{'9' * 18}")
    arguments = database.queries[1][1]
    assert isinstance(arguments, dict)
    assert arguments["microseconds"] == LATEST_MICROSECONDS


def test_id_that_no_row_can_have_is_unknown() -> None:
    with pytest.raises(UnknownMonitorError):
        MonitorsApi(Monitors(FakeDatabase())).list_checks(2**63)


def test_request_for_a_reference_has_defaults() -> None:
    database = FakeDatabase([{"request_id": 3}], LEASE)
    answer, status = MonitorsApi(Monitors(database)).request_reference("mnist", {})
    assert status == 202
    assert answer == {
        "request_id": 3, "task": "mnist", "images": 2000, "requested_by": "api",
        "no_monitor": NO_MONITOR,
    }  # fmt: skip


@pytest.mark.parametrize(
    "body",
    [
        None, [], {"by": ""}, {"by": "a", "images": 199}, {"by": "a", "images": 10_001},
        {"by": "a", "images": True}, {"by": "a", "from": "test"}, {"by": "a", "more": 1},
    ],
)  # fmt: skip
def test_bad_request_for_a_reference_raises(body: Any) -> None:
    with pytest.raises(MalformedRequestError):
        MonitorsApi(Monitors(FakeDatabase())).request_reference("mnist", body)
