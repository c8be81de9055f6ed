"""Detectors: references as one field, pages of checks, and unknown rows."""

from typing import Any

import pytest

from inference.database.monitoring.errors import UnknownMonitorError, UnknownTaskError
from inference.database.monitoring.monitors import NO_MONITOR, Monitors
from tests.support.fake_database import FakeDatabase


def test_lease_says_how_to_start_a_monitor() -> None:
    dead = [{"seen_at": "2026-01-01T00:00:00.000000Z", "is_alive": False}]
    assert Monitors(FakeDatabase(dead)).lease()["no_monitor"] == NO_MONITOR
    alive = [{**dead[0], "is_alive": True}]
    assert Monitors(FakeDatabase(alive)).lease()["no_monitor"] is None


def test_reference_is_one_field() -> None:
    none: dict[str, Any] = {
        "reference_origin": None,
        "reference_images": None,
        "reference_at": None,
    }
    row: dict[str, Any] = {"family": "inputs", "reference_origin": "test", "reference_images": 9}
    rows = [{**row, "reference_at": "t"}, {"family": "labels", **none}]
    assert Monitors(FakeDatabase(rows)).all(None) == [
        {"family": "inputs", "reference": {"origin": "test", "images": 9, "accepted_at": "t"}},
        {"family": "labels", "reference": None},
    ]


def test_page_of_checks_has_its_last_place_if_more_follow() -> None:
    rows = [{"images": number, "microseconds": 1} for number in (300, 200, 100)]
    database = FakeDatabase(rows, rows)
    checks, place = Monitors(database).checks(4, 2, (400, 7))
    assert ([one["images"] for one in checks], place) == ([300, 200], (200, 1))
    assert Monitors(database).checks(4, 3, None)[1] is None
    assert database.queries[0][1] == {"monitor": 4, "limit": 3, "images": 400, "microseconds": 7}


def test_unknown_detector_and_task_raise() -> None:
    with pytest.raises(UnknownMonitorError):
        Monitors(FakeDatabase([])).one(4)
    assert Monitors(FakeDatabase([{"monitor_id": 4}])).one(4) == {"monitor_id": 4}
    with pytest.raises(UnknownTaskError):
        Monitors(FakeDatabase([{"request_id": None}])).request_reference("x", 2000, "ann")
    assert Monitors(FakeDatabase([{"request_id": 3}])).request_reference("x", 2000, "ann") == 3
