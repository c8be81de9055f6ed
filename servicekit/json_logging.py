"""JSON logging: one line per event on stderr, with its request id, bounded in size and rate."""

import json
import logging
import sys
import time
from datetime import UTC, datetime

from servicekit.request_context import current_request_id

STANDARD_FIELDS = frozenset(vars(logging.makeLogRecord({}))) | {"message", "suppressed"}
# Of a message, of a traceback (its end, where the cause stands), and of any other value.
MAX_CHARACTERS = 4000
MAX_PER_MINUTE = 30  # lines of one event, so that a repeated failure cannot fill a disk
MINUTE_SECONDS = 60.0


class JsonFormatter(logging.Formatter):
    """Formats a record as JSON: time (UTC), level, logger, event, request_id, extras, trace."""

    def format(self, record: logging.LogRecord) -> str:
        """Return the line without its newline."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "event": record.getMessage()[:MAX_CHARACTERS],
            "request_id": current_request_id(),
            **{name: value for name, value in vars(record).items() if name not in STANDARD_FIELDS},
        }
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)[-MAX_CHARACTERS:]
        if suppressed := getattr(record, "suppressed", 0):
            line["suppressed"] = suppressed
        return json.dumps(line, default=lambda value: str(value)[:MAX_CHARACTERS])


class RateLimit(logging.Filter):
    """Passes MAX_PER_MINUTE lines of an event per minute.

    The first line after that minute carries the number of suppressed lines.
    """

    def __init__(self) -> None:
        super().__init__()
        self._counts: dict[tuple[str, str], tuple[float, int]] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether to write a record."""
        key, now = (record.name, str(record.msg)[:MAX_CHARACTERS]), time.monotonic()
        began, count = self._counts.get(key, (now, 0))
        if now - began >= MINUTE_SECONDS:
            record.suppressed = max(0, count - MAX_PER_MINUTE)
            began, count = now, 0
        if key not in self._counts and len(self._counts) >= MAX_CHARACTERS:
            self._counts.clear()  # bounded memory, even if every message differs
        self._counts[key] = began, count + 1
        return count < MAX_PER_MINUTE


def configure(level: int = logging.INFO, library: str | None = None) -> None:
    """Write the log of this process to stderr as JSON lines.

    `library` names a package whose loggers have handlers of their own; these get the same format.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonFormatter())
    handler.addFilter(RateLimit())
    logging.basicConfig(handlers=[handler], level=level)
    logging.captureWarnings(capture=True)
    names = [name for name in logging.root.manager.loggerDict if name.partition(".")[0] == library]
    for own in {own for name in names for own in logging.getLogger(name).handlers}:
        own.setFormatter(JsonFormatter())
