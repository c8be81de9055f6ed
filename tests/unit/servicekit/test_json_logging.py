import json
import logging

import pytest

from servicekit import json_logging, request_context


def record(event: str = "It %s.", *arguments: object, **more: object) -> logging.LogRecord:
    return logging.makeLogRecord(
        {"name": "a.b", "levelname": "ERROR", "msg": event, "args": arguments, **more}
    )


def test_an_event_is_one_line_of_json_with_its_request() -> None:
    token = request_context.request_id.set(b"r-1")
    try:
        raise ValueError("line\nbreak")
    except ValueError as error:
        exception = (ValueError, error, error.__traceback__)
    line = json_logging.JsonFormatter().format(
        record("It %s.", "fails", exc_info=exception, operation="models")
    )
    request_context.request_id.reset(token)
    said = json.loads(line)
    assert "\n" not in line
    assert (
        said.items()
        >= {
            "event": "It fails.",
            "level": "ERROR",
            "logger": "a.b",
            "request_id": "r-1",
            "operation": "models",
        }.items()
    )
    assert said["trace"].endswith("ValueError: line\nbreak")
    assert said["time"].endswith("+00:00")


def test_a_line_is_bounded() -> None:
    assert (
        len(json_logging.JsonFormatter().format(record("x" * 100_000)))
        < 2 * json_logging.MAX_CHARACTERS
    )


def test_the_same_event_is_written_so_often_a_minute_and_then_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now = 100.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    bounded = json_logging.RateLimit()
    passed = sum(
        bounded.filter(record("It %s.", number))
        for number in range(json_logging.MAX_PER_MINUTE + 7)
    )
    assert passed == json_logging.MAX_PER_MINUTE
    assert bounded.filter(record("Another."))
    now = 161.0
    later = record("It %s.", "again")
    assert bounded.filter(later)
    assert json.loads(json_logging.JsonFormatter().format(later))["suppressed"] == 7
