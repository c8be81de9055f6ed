"""Drain: the time between a stop signal and the stop, in which the service still answers.

Meanwhile /readyz says that the service is draining, and every response closes its connection, so
that a proxy and its clients move to another replica without a failed request.
"""

import signal
import threading
import time
from types import FrameType

# A supervisor forwards the signal that it gets, and some send it to each process of a group as
# well. A signal within this time after the first is the same one.
SAME_SIGNAL_SECONDS = 1.0


class Drain:
    """Drain of a worker process. `is_active` is True from the first SIGTERM on."""

    __slots__ = ("_began_at", "_has_ended", "_previous", "_seconds", "is_active")

    def __init__(self, seconds: float = 0.0) -> None:
        """Drain for `seconds`; with 0, a stop begins at once."""
        self.is_active = False
        self._seconds = seconds
        self._began_at = 0.0  # time.monotonic()
        self._has_ended = False
        self._previous = signal.getsignal(signal.SIGTERM)

    def delay_stop(self) -> None:
        """Call the present handler of SIGTERM after the drain. A second SIGTERM calls it at once.

        Call it in the main thread.
        """
        if self._seconds:
            self._previous = signal.signal(signal.SIGTERM, self._on_signal)

    def end(self) -> None:
        """Stop now. Does nothing if the stop has begun. Any thread may call it."""
        if self._has_ended:
            return
        self._has_ended = self.is_active = True
        if callable(self._previous):
            self._previous(signal.SIGTERM, None)

    def _on_signal(self, _number: int, _frame: FrameType | None) -> None:
        if not self.is_active:
            self.is_active, self._began_at = True, time.monotonic()
            timer = threading.Timer(self._seconds, self.end)
            timer.daemon = True
            timer.start()
        elif time.monotonic() - self._began_at > SAME_SIGNAL_SECONDS:
            self.end()
