"""Log status: whether the prediction log works, and its backlog, for /readyz and the metrics."""

from typing import Any

from inference.prediction_log.backlog import Backlog
from inference.prediction_log.journal import Journal

# ok, waiting: Postgres has not received the oldest record in time, full: at its limit, failing: it
# cannot be written or read
STATES = ("ok", "waiting", "full", "failing")


class LogStatus:
    """Status of the log of a journal, or of no log without one."""

    def __init__(self, journal: Journal | None, max_wait_seconds: float) -> None:
        """A record that waits for Postgres longer than `max_wait_seconds` is a fault."""
        self._journal = journal
        self._max_wait_seconds = max_wait_seconds
        self._backlog = None if journal is None else Backlog(journal.directory)

    def document(self) -> dict[str, Any]:
        """Return the state, the reason of a fault, and the size and age of the backlog."""
        journal, backlog = self._journal, self._backlog
        if journal is None or backlog is None:
            return {"status": "off"}
        try:
            size, seconds = backlog.measure()
            is_full = journal.is_full
        except OSError as error:
            detail = (
                f"The prediction log cannot be read: {error.strerror}."
                " See JOURNAL_DIR in doc/data.md."
            )
            return {"status": "failing", "detail": detail}
        document = {"waiting_bytes": size, "waiting_seconds": round(seconds, 1)}
        if journal.failure is not None:
            return {"status": "failing", "detail": journal.failure, **document}
        if is_full:
            return {"status": "full", **document}
        if seconds > self._max_wait_seconds:
            detail = (
                f"The oldest record has waited for Postgres for {seconds:.0f} s."
                " See the log of the service for the reason."
            )
            return {"status": "waiting", "detail": detail, **document}
        return {"status": "ok", **document}
