"""A small cache that outlives failure.

The last good value stays, with its age and what went wrong since.

Streamlit's own st.cache_data forgets a value when it expires, so it would have nothing to show once
the source is down, and it waits for a source that hangs. This module knows nothing of Streamlit,
SQL or HTTP.
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
    """What is known of one source.

    Attributes:
        value: the last good value, None if there never was one.
        age_seconds: how long ago it was read, None without a value.
        problem: None while the source answers, else one sentence of markdown that says what is
        wrong.

    """

    value: T | None
    age_seconds: float | None
    problem: str | None

    @property
    def is_stale(self) -> bool:
        """There is a value, but the source no longer answers."""
        return self.value is not None and self.problem is not None


@dataclass
class _Entry:
    value: Any = None
    read_at: float | None = None
    failed_at: float | None = None
    problem: str | None = None
    reading: "Future[Any] | None" = None


class StaleCache:
    """Values by key.

    A read runs once for all who wait for it, and nobody waits longer than the deadline.

    Args:
        fresh_seconds: a value this young is handed out without asking the source.
        retry_seconds: after a failure the source is left alone for this long.
        deadline_seconds: the longest time that get() waits for a read. A read that hangs keeps its
        thread until it
            ends, and no second read of the same key starts meanwhile.
        capacity: this many keys are kept, the least recently used one is dropped first.
        clock: seconds, monotonic.

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
        self._threads = ThreadPoolExecutor(max_workers=4, thread_name_prefix="last-good")

    def get(
        self, key: Hashable, read: Callable[[], T], describe: Callable[[Exception], str] = str
    ) -> CachedResult[T]:
        """Return the value of key, read anew when it is old. Never raises what read() raises.

        The value is shared by all callers, so none may change it.
        """
        with self._lock:
            entry = self._entries.setdefault(key, _Entry())
            self._entries.move_to_end(key)
            while len(self._entries) > self._capacity:
                self._entries.popitem(last=False)
            now = self._clock()
            if (
                entry.problem is None
                and entry.read_at is not None
                and now - entry.read_at < self._fresh_seconds
            ):
                return self._report(entry)
            if entry.failed_at is not None and now - entry.failed_at < self._retry_seconds:
                return self._report(entry)
            if entry.reading is None:
                entry.reading = self._threads.submit(self._read, entry, read, describe)
            reading = entry.reading
        try:
            reading.result(timeout=self._deadline_seconds)
        except DeadlineExceeded as error:
            with self._lock:
                if entry.reading is reading:
                    entry.problem, entry.failed_at = describe(error), self._clock()
        with self._lock:
            return self._report(entry)

    def retry(self) -> None:
        """Ask again at the next get(), also a source that has just failed."""
        with self._lock:
            for entry in self._entries.values():
                entry.failed_at = None

    def outdate(self) -> None:
        """Read every value anew at its next get(), because somebody has just changed what they
        tell.
        """
        with self._lock:
            for entry in self._entries.values():
                if entry.read_at is not None:
                    entry.read_at = min(entry.read_at, self._clock() - self._fresh_seconds)

    def _read(
        self, entry: _Entry, read: Callable[[], Any], describe: Callable[[Exception], str]
    ) -> None:
        try:
            value = read()
        except Exception as error:  # noqa: BLE001  # whatever a driver raises, the page must stand
            problem = describe(error)
            if entry.problem is None:
                _log.warning("a source stopped answering: %s", problem, exc_info=error)
            with self._lock:
                entry.problem, entry.failed_at, entry.reading = problem, self._clock(), None
        else:
            with self._lock:
                entry.value, entry.read_at, entry.problem = value, self._clock(), None
                entry.failed_at, entry.reading = None, None

    def _report(self, entry: _Entry) -> CachedResult[Any]:
        age = None if entry.read_at is None else self._clock() - entry.read_at
        return CachedResult(value=entry.value, age_seconds=age, problem=entry.problem)
