"""Slow clients: a connection waits only so long for the next step of its client."""

import pytest

from inference.server.slow_clients import (
    MAX_WAIT_SECONDS,
    MIN_BODY_BYTES_PER_SECOND,
    Awaited,
    StallTimer,
)

HEAD = Awaited("head", 1)
BODY = Awaited("body", 1)


@pytest.mark.parametrize("step", ["head", "body", "reader", "end"])
def test_has_stalled_after_the_maximum_wait(step: str) -> None:
    timer, awaited = StallTimer(), Awaited(step, 3)
    assert not timer.has_stalled(awaited, 100.0, 0)
    assert not timer.has_stalled(awaited, 99.9 + MAX_WAIT_SECONDS, 0)
    assert timer.has_stalled(awaited, 100.0 + MAX_WAIT_SECONDS, 0)


def test_has_stalled_starts_again_with_each_step() -> None:
    timer = StallTimer()
    for second in range(0, 60, 7):
        assert not timer.has_stalled(Awaited("head", second), float(second), 0)


def test_has_stalled_is_false_while_the_service_is_busy() -> None:
    timer = StallTimer()
    assert not timer.has_stalled(HEAD, 0.0, 0)
    assert not timer.has_stalled(None, 5.0, 0)
    assert not timer.has_stalled(None, 500.0, 0)
    assert not timer.has_stalled(HEAD, 501.0, 0)
    assert timer.has_stalled(HEAD, 501.0 + MAX_WAIT_SECONDS, 0)


def test_has_stalled_lets_a_fast_body_take_longer() -> None:
    timer, seconds = StallTimer(), 10 * MAX_WAIT_SECONDS
    enough = int(MIN_BODY_BYTES_PER_SECOND * seconds)
    assert not timer.has_stalled(BODY, 0.0, 0)
    assert not timer.has_stalled(BODY, seconds, enough)
    assert timer.has_stalled(BODY, seconds, enough - 1)


def test_has_stalled_ignores_body_bytes_for_other_steps() -> None:
    timer = StallTimer()
    assert not timer.has_stalled(HEAD, 0.0, 0)
    assert timer.has_stalled(HEAD, MAX_WAIT_SECONDS, 2**30)
