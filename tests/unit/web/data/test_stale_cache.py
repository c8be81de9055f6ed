"""The cache that outlives failure."""

import threading
from collections.abc import Iterator

import pytest

from web.data.stale_cache import CachedResult, StaleCache


class Clock:
    """Time stands still until the test moves it."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


class Source:
    """Answers 1, 2, 3, ...; refuses while it is down; hangs while the gate is shut."""

    def __init__(self) -> None:
        self.reads = 0
        self.down = False
        self.gate = threading.Event()
        self.gate.set()

    def __call__(self) -> int:
        self.gate.wait(10)
        self.reads += 1
        if self.down:
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


def test_a_fresh_value_is_not_read_again(cache: StaleCache, clock: Clock, source: Source) -> None:
    cache.get("k", source)
    clock.now += 9
    assert cache.get("k", source) == CachedResult(value=1, age_seconds=9, problem=None)


def test_an_old_value_is_read_anew(cache: StaleCache, clock: Clock, source: Source) -> None:
    cache.get("k", source)
    clock.now += 10
    assert cache.get("k", source) == CachedResult(value=2, age_seconds=0, problem=None)


def test_a_source_that_goes_down_leaves_its_last_value_with_age_and_reason(
    cache: StaleCache, clock: Clock, source: Source
) -> None:
    cache.get("k", source)
    clock.now, source.down = clock.now + 60, True
    assert cache.get("k", source) == CachedResult(value=1, age_seconds=60, problem="refused")


def test_a_source_that_never_answered_has_a_reason_and_no_value(
    cache: StaleCache, source: Source
) -> None:
    source.down = True
    assert cache.get("k", source) == CachedResult(value=None, age_seconds=None, problem="refused")


def test_a_source_that_failed_is_left_alone_for_a_while(
    cache: StaleCache, clock: Clock, source: Source
) -> None:
    source.down = True
    cache.get("k", source)
    clock.now += 1
    cache.get("k", source)
    assert source.reads == 1


def test_a_source_that_comes_back_is_used_again(
    cache: StaleCache, clock: Clock, source: Source
) -> None:
    source.down = True
    cache.get("k", source)
    clock.now, source.down = clock.now + 2, False
    assert cache.get("k", source) == CachedResult(value=2, age_seconds=0, problem=None)


def test_retry_asks_at_once(cache: StaleCache, source: Source) -> None:
    source.down = True
    cache.get("k", source)
    source.down = False
    cache.retry()
    assert cache.get("k", source).problem is None


def test_nobody_waits_longer_than_the_deadline_for_a_source_that_hangs(
    cache: StaleCache, source: Source
) -> None:
    source.gate.clear()
    reading = cache.get("k", source, lambda error: type(error).__name__)
    assert (reading.value, reading.problem) == (None, "TimeoutError")


def test_a_source_that_hangs_is_not_asked_a_second_time_meanwhile(
    cache: StaleCache, clock: Clock, source: Source
) -> None:
    source.gate.clear()
    for _ in range(3):
        cache.get("k", source)
        clock.now += 5
    source.gate.set()
    assert (cache.get("k", source).value, source.reads) == (1, 1)


def test_many_who_ask_at_once_share_one_read(cache: StaleCache, source: Source) -> None:
    source.gate.clear()
    readings: list[CachedResult[int]] = []
    threads = [
        threading.Thread(target=lambda: readings.append(cache.get("k", source))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    source.gate.set()
    for thread in threads:
        thread.join()
    assert [reading.value for reading in readings] == [1] * 8


def test_the_least_recently_used_value_gives_way(cache: StaleCache, source: Source) -> None:
    for key in ("a", "b", "a", "c"):
        cache.get(key, source)
    before = source.reads
    cache.get("a", source)
    cache.get("b", source)
    assert source.reads - before == 1


def test_what_somebody_has_changed_is_read_anew_at_once_and_stays_when_that_fails(
    cache: StaleCache, source: Source
) -> None:
    cache.get("a", source)
    cache.outdate()
    assert cache.get("a", source).value == 2
    source.down = True
    cache.outdate()
    assert cache.get("a", source).value == 2
