"""Drain: a stop signal is answered later, a second one at once."""

import signal
import time
from collections.abc import Iterator

import pytest

from inference import drain
from inference.drain import Drain


@pytest.fixture
def stops() -> Iterator[list[int]]:
    """Replace the handler of SIGTERM by one that records its calls, and return them."""
    calls: list[int] = []
    previous = signal.signal(signal.SIGTERM, lambda number, _frame: calls.append(number))
    yield calls
    signal.signal(signal.SIGTERM, previous)


def wait_for(stops: list[int]) -> None:
    deadline = time.monotonic() + 5
    while not stops:
        assert time.monotonic() < deadline
        time.sleep(0.01)


def test_stop_comes_after_the_drain(stops: list[int]) -> None:
    draining = Drain(0.2)
    draining.delay_stop()
    assert not draining.is_active
    started = time.monotonic()
    signal.raise_signal(signal.SIGTERM)
    assert (draining.is_active, stops) == (True, [])
    wait_for(stops)
    assert time.monotonic() - started >= 0.2


def test_drain_of_0_seconds_stops_at_once(stops: list[int]) -> None:
    draining = Drain(0)
    draining.delay_stop()
    signal.raise_signal(signal.SIGTERM)
    assert stops == [signal.SIGTERM]


def test_second_signal_stops_at_once(stops: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    draining = Drain(60)
    draining.delay_stop()
    signal.raise_signal(signal.SIGTERM)
    signal.raise_signal(signal.SIGTERM)  # the same one, which a supervisor forwarded
    assert stops == []
    monkeypatch.setattr(drain, "SAME_SIGNAL_SECONDS", 0)
    signal.raise_signal(signal.SIGTERM)
    assert stops == [signal.SIGTERM]


def test_end_stops_once(stops: list[int]) -> None:
    draining = Drain(0.05)
    draining.delay_stop()
    draining.end()
    assert (draining.is_active, stops) == (True, [signal.SIGTERM])
    signal.raise_signal(signal.SIGTERM)
    time.sleep(0.1)
    assert stops == [signal.SIGTERM]
