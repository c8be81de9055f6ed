"""The log.

One line of JSON for each event, on stderr, with the id of the request that it belongs to, and
bounded.
"""

import json
import logging
import sys
import time
from datetime import UTC, datetime

from inference.observability.request_context import current_request_id

STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "suppressed"}
MAX_CHARACTERS = (
    4000  # of a message, of a trace (its end: there is what happened), of any other value
)
MAX_PER_MINUTE = 30  # lines of the same event: who fails a thousand times a second fills no disk


class JsonLines(logging.Formatter):
    """A record as a line of JSON.

    Time (UTC), level, logger, event, request_id, whatever `extra` says, and the trace.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "event": record.getMessage()[:MAX_CHARACTERS],
            "request_id": current_request_id(),
            **{name: value for name, value in vars(record).items() if name not in STANDARD},
        }
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)[-MAX_CHARACTERS:]
        if suppressed := getattr(record, "suppressed", 0):
            line["suppressed"] = suppressed
        return json.dumps(line, default=lambda value: str(value)[:MAX_CHARACTERS])


class Bounded(logging.Filter):
    """Lets MAX_PER_MINUTE lines of an event pass in a minute.

    The first after those says how many were suppressed.
    """

    def __init__(self) -> None:
        super().__init__()
        self._counts: dict[tuple[str, str], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Tell whether a record is to be written."""
        key, now = (record.name, str(record.msg)[:MAX_CHARACTERS]), time.monotonic()
        began, count = self._counts.get(key, (now, 0))
        if now - began >= 60:  # noqa: PLR2004  # seconds of a minute
            record.suppressed = max(0, count - MAX_PER_MINUTE)
            began, count = now, 0
        if key not in self._counts and len(self._counts) >= MAX_CHARACTERS:
            # Events are few; what makes many of them is not to be remembered for ever
            self._counts.clear()
        self._counts[key] = began, count + 1
        return count < MAX_PER_MINUTE


def set_up() -> None:
    """Write the log of this process to stderr."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    handler.addFilter(Bounded())
    logging.basicConfig(handlers=[handler], level=logging.INFO)
    logging.captureWarnings(capture=True)
