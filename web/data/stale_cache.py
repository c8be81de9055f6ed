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
        capacity: number of keys; the least recently used one is dropped first.
        clock: monotonic seconds.

    """

    def __init__(
        self,
        *,
        fresh_seconds: float,
        retry_seconds: float,
        deadline_seconds: float,
        capacity: int = 128,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._fresh_seconds = fresh_seconds
        self._retry_seconds = retry_seconds
        self._deadline_seconds = deadline_seconds
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
            now = self._clock()
            is_fresh = (
                entry.problem is None
                and entry.read_at is not None
                and now - entry.read_at < self._fresh_seconds
            )
            has_just_failed = (
                entry.failed_at is not None and now - entry.failed_at < self._retry_seconds
            )
            if is_fresh or has_just_failed:
                return self._result(entry)
            if entry.pending_read is None:
                entry.pending_read = self._threads.submit(self._read, entry, read, describe)
            pending_read = entry.pending_read
        try:
            pending_read.result(timeout=self._deadline_seconds)
        except DeadlineExceeded as error:
            with self._lock:
                if entry.pending_read is pending_read:
                    entry.problem, entry.failed_at = describe(error), self._clock()
        with self._lock:
            return self._result(entry)

    def retry(self) -> None:
        """Skip the pause after failures, so that the next get() reads again."""
        with self._lock:
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
                entry.problem, entry.failed_at = problem, self._clock()
                entry.pending_read = None
        else:
            with self._lock:
                entry.value, entry.read_at = value, self._clock()
                entry.problem, entry.failed_at, entry.pending_read = None, None, None

    def _result(self, entry: _Entry) -> CachedResult[Any]:
        age = None if entry.read_at is None else self._clock() - entry.read_at
        return CachedResult(value=entry.value, age_seconds=age, problem=entry.problem)
