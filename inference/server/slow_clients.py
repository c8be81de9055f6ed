"""Slow clients: how long a connection may wait for its client before it is closed."""

from typing import NamedTuple

CHECK_SECONDS = 1.0
MAX_WAIT_SECONDS = 8.0
MIN_BODY_BYTES_PER_SECOND = 32 * 1024  # a faster body may take longer than MAX_WAIT_SECONDS


class Awaited(NamedTuple):
    """A client's next step, "head", "body", "reader" or "end", and a number that it changes.

    "reader": it has to read its response. "end": it has to close the connection.
    """

    step: str
    number: int


class StallTimer:
    """Measures how long a client has not taken its next step."""

    def __init__(self) -> None:
        self._awaited: Awaited | None = None
        self._since = 0.0

    def has_stalled(self, awaited: Awaited | None, now: float, body_bytes: int) -> bool:
        """Return whether the client is too slow. `now` is the event loop's time in seconds.

        `awaited` is None while the service itself is busy; `body_bytes` are those of the current
        body that have arrived.
        """
        if awaited != self._awaited:
            self._awaited, self._since = awaited, now
        seconds = now - self._since
        if awaited is None or seconds < MAX_WAIT_SECONDS:
            return False
        return awaited.step != "body" or body_bytes < MIN_BODY_BYTES_PER_SECOND * seconds
