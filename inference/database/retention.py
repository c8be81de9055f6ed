"""Retention clock: the time that the service has run, which no change of the date affects.

Retention never trusts the date alone, because a clock that is set ahead by mistake would delete
everything at once. Something expires when it is old enough by the date and has also been there
while the service ran that long. While the service is stopped, nothing expires.
"""

import threading
import time

import psycopg2.extensions


class RetentionClock:
    """Adds the time that this process runs to `retention.seconds` of the database. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._advanced_at = time.monotonic()

    def advance(self, cursor: psycopg2.extensions.cursor) -> float:
        """Add the time since the last call, 600 s at most, and return `retention.seconds`.

        Raises psycopg2.Error. The time is then lost, which delays retention.
        """
        with self._lock:
            now = time.monotonic()
            elapsed, self._advanced_at = now - self._advanced_at, now
        cursor.execute("SELECT advance_retention(%s)", [elapsed])
        [seconds] = cursor.fetchone() or [0.0]
        return float(seconds)
