"""Stale cache: keeps the last good value of a source when the source fails.

Streamlit's st.cache_data drops an expired value, so a page would be empty while a source is down.
It also blocks on a source that hangs. This module knows neither Streamlit nor SQL nor HTTP.
"""

import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as DeadlineExceeded
from dataclasses import dataclass
from threading import Lock
from typing import Any, Generic, TypeVar

_log = logging.getLogger(__name__)

T = TypeVar("T")
# Longest wait for a source that is out: long enough for one that is back.
PROBE_SECONDS = 0.5


@dataclass(frozen=True)
class CachedResult(Generic[T]):
    """Last good value of a source, and its current problem.

    Attributes:
        value: last good value, None if there never was one.
        age_seconds: age of the value, None without a value.
        problem: why the last read failed, one sentence of markdown. None if it succeeded.

    """

    value: T | None
    age_seconds: float | None
    problem: str | None

    @property
    def is_stale(self) -> bool:
        """Whether there is a value, but the source is down."""
        return self.value is not None and self.problem is not None


@dataclass
class SourceState:
    """State of a source, shared by the caches of its values.

    One read that fails for all, or hangs, is a problem of every value: no page shows an old or
    empty value beside a good state of the source, and none waits for a source that hangs.

    Attributes:
        is_outage: whether an error of a read concerns the whole source.
        problem: why the source is out, None if the last read that ended did so well.
        failed_at: time of the last failure, None before the first one.

    """

    is_outage: Callable[[Exception], bool]
    problem: str | None = None
    failed_at: float | None = None


@dataclass
class _Entry:
    value: Any = None
    read_at: float | None = None
    failed_at: float | None = None
    problem: str | None = None
    pending_read: "Future[Any] | None" = None


class StaleCache:
    """Values by key. Concurrent callers share one read. Thread-safe.

    Args:
        fresh_seconds: a younger value is returned without a read.
        retry_seconds: pause before the next read after a failure.
        deadline_seconds: longest time that get() waits for a read. A read that hangs keeps its
            thread until it ends, and no second read of the same key starts meanwhile.
        source: state of the source, shared with other caches; None for values that fail alone.
        capacity: number of keys; the least recently used one is dropped first.
        clock: monotonic seconds.

    """

    def __init__(
        self,
        *,
        fresh_seconds: float,
        retry_seconds: float,
        deadline_seconds: float,
        source: SourceState | None = None,
        capacity: int = 128,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._fresh_seconds = fresh_seconds
        self._retry_seconds = retry_seconds
        self._deadline_seconds = deadline_seconds
        self._source = SourceState(is_outage=lambda _error: False) if source is None else source
        self._shares_outages = source is not None
        self._capacity = capacity
        self._clock = clock
        self._entries: OrderedDict[Hashable, _Entry] = OrderedDict()
        self._lock = Lock()
        self._threads = ThreadPoolExecutor(max_workers=4, thread_name_prefix="stale-cache")

    def get(
        self, key: Hashable, read: Callable[[], T], describe: Callable[[Exception], str] = str
    ) -> CachedResult[T]:
        """Return the value of a key, and read it if it is old. Never raises an error of read().

        All callers share the value, so none may modify it.

        Args:
            key: the key.
            read: reads the value from its source.
            describe: turns an error of read() into the problem of the result.

        """
        with self._lock:
            entry = self._entries.setdefault(key, _Entry())
            self._entries.move_to_end(key)
            while len(self._entries) > self._capacity:
                self._entries.popitem(last=False)
            if self._is_fresh(entry) or self._has_just_failed(entry):
                return self._result(entry)
            if entry.pending_read is None:
                entry.pending_read = self._threads.submit(self._read, entry, read, describe)
            pending_read = entry.pending_read
            is_out = self._source.problem is not None
        try:
            pending_read.result(timeout=PROBE_SECONDS if is_out else self._deadline_seconds)
        except DeadlineExceeded as error:
            with self._lock:
                if entry.pending_read is pending_read:
                    self._fail(entry, describe(error), is_outage=self._shares_outages)
        with self._lock:
            return self._result(entry)

    def _is_fresh(self, entry: _Entry) -> bool:
        return (
            entry.problem is None
            and entry.read_at is not None
            and self._clock() - entry.read_at < self._fresh_seconds
        )

    def _has_just_failed(self, entry: _Entry) -> bool:
        failures = [entry.failed_at]
        if self._source.problem is not None:
            failures.append(self._source.failed_at)
        now = self._clock()
        return any(at is not None and now - at < self._retry_seconds for at in failures)

    def _fail(self, entry: _Entry, problem: str, *, is_outage: bool) -> None:
        entry.problem, entry.failed_at = problem, self._clock()
        if is_outage:
            self._source.problem, self._source.failed_at = problem, entry.failed_at

    def retry(self) -> None:
        """Skip the pause after failures, so that the next get() reads again."""
        with self._lock:
            self._source.failed_at = None
            for entry in self._entries.values():
                entry.failed_at = None

    def expire(self) -> None:
        """Make every value old, so that the next get() reads again. For use after a change."""
        with self._lock:
            for entry in self._entries.values():
                if entry.read_at is not None:
                    entry.read_at = min(entry.read_at, self._clock() - self._fresh_seconds)

    def _read(
        self, entry: _Entry, read: Callable[[], Any], describe: Callable[[Exception], str]
    ) -> None:
        try:
            value = read()
        except Exception as error:  # noqa: BLE001  # a driver may raise anything
            problem = describe(error)
            if entry.problem is None:
                _log.warning("Source failed: %s", problem, exc_info=error)
            with self._lock:
                self._fail(entry, problem, is_outage=self._source.is_outage(error))
                entry.pending_read = None
        else:
            with self._lock:
                entry.value, entry.read_at = value, self._clock()
                entry.problem, entry.failed_at, entry.pending_read = None, None, None
                self._source.problem = None

    def _result(self, entry: _Entry) -> CachedResult[Any]:
        age = None if entry.read_at is None else self._clock() - entry.read_at
        problem = entry.problem or self._source.problem
        return CachedResult(value=entry.value, age_seconds=age, problem=problem)
