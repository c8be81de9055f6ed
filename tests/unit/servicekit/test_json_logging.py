"""JSON logging: format, size limit and rate limit of lines."""

import json
import logging

import pytest

from servicekit import json_logging, request_context


def record(event: str = "It %s.", *arguments: object, **more: object) -> logging.LogRecord:
    return logging.makeLogRecord(
        {"name": "a.b", "levelname": "ERROR", "msg": event, "args": arguments, **more}
    )


def test_event_is_one_line_of_json_with_its_request() -> None:
    token = request_context.request_id.set(b"r-1")
    try:
        raise ValueError("line\nbreak")
    except ValueError as error:
        exception = (ValueError, error, error.__traceback__)
    line = json_logging.JsonFormatter().format(
        record("It %s.", "fails", exc_info=exception, operation="models")
    )
    request_context.request_id.reset(token)
    document = json.loads(line)
    assert "\n" not in line
    assert (
        document.items()
        >= {
            "event": "It fails.",
            "level": "ERROR",
            "logger": "a.b",
            "request_id": "r-1",
            "operation": "models",
        }.items()
    )
    assert document["trace"].endswith("ValueError: line\nbreak")
    assert document["time"].endswith("+00:00")


def test_line_is_limited_in_size() -> None:
    assert (
        len(json_logging.JsonFormatter().format(record("x" * 100_000)))
        < 2 * json_logging.MAX_CHARACTERS
    )


def test_rate_limit_counts_suppressed_lines(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 100.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    rate_limit = json_logging.RateLimit()
    passed = sum(
        rate_limit.filter(record("It %s.", number))
        for number in range(json_logging.MAX_PER_MINUTE + 7)
    )
    assert passed == json_logging.MAX_PER_MINUTE
    assert rate_limit.filter(record("Another."))
    now = 161.0
    later = record("It %s.", "again")
    assert rate_limit.filter(later)
    assert json.loads(json_logging.JsonFormatter().format(later))["suppressed"] == 7
