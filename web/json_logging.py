"""The log of the dashboard: one line of JSON for each event, on stderr, Streamlit's own among them."""

import json
import logging
import sys
from datetime import UTC, datetime

MAX_CHARACTERS = 4000  # of a message, and of a trace its end


class JsonLines(logging.Formatter):
    """A record as a line of JSON.

    Time (UTC), level, logger, event, the id of the call of the API that it is about, the trace.
    """

    def format(self, record: logging.LogRecord) -> str:
        """Return the line."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname,
            "logger": record.name,
            "event": record.getMessage()[:MAX_CHARACTERS],
            "request_id": getattr(record, "request_id", "none"),
        }
        if record.exc_info:
            line["trace"] = self.formatException(record.exc_info)[-MAX_CHARACTERS:]
        return json.dumps(line)


def set_up() -> None:
    """Write the log of this process to stderr, also what Streamlit has handlers of its own for."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines())
    logging.basicConfig(handlers=[handler], level=logging.WARNING)
    logging.captureWarnings(capture=True)
    loggers = [
        logging.getLogger(name)
        for name in logging.root.manager.loggerDict
        if name.partition(".")[0] == "streamlit"
    ]
    for each in {handler for logger in loggers for handler in logger.handlers}:
        each.setFormatter(JsonLines())
