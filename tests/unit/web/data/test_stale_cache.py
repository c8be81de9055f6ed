"""Stale cache."""

import threading
import time
from collections.abc import Iterator

import pytest

from web.data.stale_cache import CachedResult, SourceState, StaleCache


class Clock:
    """Clock that the test moves."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


class Source:
    """Source that returns 1, 2, 3, ..., fails while it is down, and hangs at a closed gate."""

    def __init__(self) -> None:
        self.reads = 0
        self.is_down = False
        self.gate = threading.Event()
        self.gate.set()

    def __call__(self) -> int:
        self.gate.wait(10)
        self.reads += 1
        if self.is_down:
            raise OSError("refused")
        return self.reads


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def source() -> Iterator[Source]:
    made = Source()
    yield made
    made.gate.set()


@pytest.fixture
def cache(clock: Clock) -> StaleCache:
    return StaleCache(
        fresh_seconds=10, retry_seconds=2, deadline_seconds=0.2, capacity=2, clock=clock
    )


def test_fresh_value_is_not_read_again(cache: StaleCache, clock: Clock, source: Source) -> None:
    cache.get("k", source)
    clock.now += 9
    assert cache.get("k", source) == CachedResult(value=1, age_seconds=9, problem=None)


def test_old_value_is_read_again(cache: StaleCache, clock: Clock, source: Source) -> None:
    cache.get("k", source)
    clock.now += 10
    assert cache.get("k", source) == CachedResult(value=2, age_seconds=0, problem=None)


def test_failed_source_keeps_its_last_value(
    cache: StaleCache, clock: Clock, source: Source
) -> None:
    cache.get("k", source)
    clock.now, source.is_down = clock.now + 60, True
    assert cache.get("k", source) == CachedResult(value=1, age_seconds=60, problem="refused")


def test_source_that_was_never_up_has_no_value(cache: StaleCache, source: Source) -> None:
    source.is_down = True
    assert cache.get("k", source) == CachedResult(value=None, age_seconds=None, problem="refused")


def test_failed_source_has_a_retry_pause(cache: StaleCache, clock: Clock, source: Source) -> None:
    source.is_down = True
    cache.get("k", source)
    clock.now += 1
    cache.get("k", source)
    assert source.reads == 1


def test_source_that_comes_back_is_read_again(
    cache: StaleCache, clock: Clock, source: Source
) -> None:
    source.is_down = True
    cache.get("k", source)
    clock.now, source.is_down = clock.now + 2, False
    assert cache.get("k", source) == CachedResult(value=2, age_seconds=0, problem=None)


def test_retry_skips_the_pause(cache: StaleCache, source: Source) -> None:
    source.is_down = True
    cache.get("k", source)
    source.is_down = False
    cache.retry()
    assert cache.get("k", source).problem is None


def test_source_that_hangs_exceeds_the_deadline(cache: StaleCache, source: Source) -> None:
    source.gate.clear()
    result = cache.get("k", source, lambda error: type(error).__name__)
    assert (result.value, result.problem) == (None, "TimeoutError")


def test_source_that_hangs_has_one_pending_read(
    cache: StaleCache, clock: Clock, source: Source
) -> None:
    source.gate.clear()
    for _ in range(3):
        cache.get("k", source)
        clock.now += 5
    source.gate.set()
    assert (cache.get("k", source).value, source.reads) == (1, 1)


def test_concurrent_callers_share_one_read(cache: StaleCache, source: Source) -> None:
    source.gate.clear()
    results: list[CachedResult[int]] = []
    threads = [
        threading.Thread(target=lambda: results.append(cache.get("k", source))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    source.gate.set()
    for thread in threads:
        thread.join()
    assert [result.value for result in results] == [1] * 8


def test_least_recently_used_value_is_dropped(cache: StaleCache, source: Source) -> None:
    for key in ("a", "b", "a", "c"):
        cache.get(key, source)
    before = source.reads
    cache.get("a", source)
    cache.get("b", source)
    assert source.reads - before == 1


def test_expired_value_is_read_again_and_kept_on_failure(cache: StaleCache, source: Source) -> None:
    cache.get("a", source)
    cache.expire()
    assert cache.get("a", source).value == 2
    source.is_down = True
    cache.expire()
    assert cache.get("a", source).value == 2


def shared_caches(clock: Clock) -> tuple[StaleCache, StaleCache]:
    """Return two caches of one source, whose every OSError is an outage."""
    state = SourceState(is_outage=lambda error: isinstance(error, OSError))
    first, second = (
        StaleCache(
            fresh_seconds=10, retry_seconds=2, deadline_seconds=0.2, source=state, clock=clock
        )
        for _ in range(2)
    )
    return first, second


def test_hung_read_is_a_problem_of_fresh_values(clock: Clock, source: Source) -> None:
    first, second = shared_caches(clock)
    first.get("fresh", source)
    source.gate.clear()
    assert second.get("hangs", source, lambda _error: "too long").problem == "too long"
    assert first.get("fresh", source) == CachedResult(value=1, age_seconds=0, problem="too long")


def test_hung_source_is_not_waited_for_again(clock: Clock, source: Source) -> None:
    first, second = shared_caches(clock)
    source.gate.clear()
    first.get("hangs", source)
    started = time.monotonic()
    for key in range(20):
        assert second.get(key, source).problem is not None
    assert time.monotonic() - started < 0.1


def test_outage_ends_with_the_next_good_read(clock: Clock, source: Source) -> None:
    first, second = shared_caches(clock)
    first.get("fresh", source)
    source.is_down = True
    assert second.get("down", source).problem == "refused"
    assert first.get("fresh", source).problem == "refused"
    source.is_down = False
    clock.now += 3
    assert second.get("down", source).problem is None
    assert first.get("fresh", source).problem is None


def test_error_of_one_value_is_no_outage(clock: Clock, source: Source) -> None:
    first, second = shared_caches(clock)
    first.get("fresh", source)

    def fail() -> None:
        raise ValueError("no such column")

    assert second.get("wrong", fail).problem == "no such column"
    assert first.get("fresh", source).problem is None
