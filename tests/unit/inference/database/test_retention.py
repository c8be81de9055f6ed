"""The retention clock counts the time that a process runs, whatever the date is."""

import time
from typing import Any, cast

import pytest

from inference.database.retention import RetentionClock


class FakeCursor:
    """Adds up the seconds, as advance_retention does."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def execute(self, _statement: str, arguments: list[float]) -> None:
        self.seconds += arguments[0]

    def fetchone(self) -> list[float]:
        return [self.seconds]


def test_advance_counts_monotonic_time_only(monkeypatch: pytest.MonkeyPatch) -> None:
    start, cursor = time.monotonic(), FakeCursor()
    clock = RetentionClock()
    monkeypatch.setattr(time, "time", lambda: 0.0)
    monkeypatch.setattr(time, "monotonic", lambda: start + 20)
    assert clock.advance(cast("Any", cursor)) == pytest.approx(20, abs=1)
    monkeypatch.setattr(time, "monotonic", lambda: start + 25)
    assert clock.advance(cast("Any", cursor)) == pytest.approx(25, abs=1)
