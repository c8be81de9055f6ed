"""Limits of what clients log: checks that both APIs share. Pure."""

import re
from collections.abc import Mapping, Sequence

from tracking.errors import InvalidError
from tracking.names import NAME_PATTERN, NAME_RULE, TASK_PATTERN
from tracking.runs import (
    MAX_KEY,
    MAX_NOTE,
    MAX_OWNER,
    MAX_PARAM_VALUE,
    MAX_PARAMS,
    MAX_POINTS,
    MAX_TAG_VALUE,
    MAX_TAGS,
    Entries,
    Point,
)

MAX_SEARCHED = 10_000
MAX_INTEGER = 2**63 - 1  # the highest bigint of Postgres
RUN_ID = re.compile(r"[0-9a-f]{32}")


def check_points(points: Sequence[Point]) -> None:
    """Raise InvalidError for too many points, or a name, step or time that cannot be stored."""
    if len(points) > MAX_POINTS:
        raise InvalidError(f"More than {MAX_POINTS:,} points. Send fewer in one request.", "points")
    valid: set[str] = set()
    for index, point in enumerate(points):
        if point.metric not in valid:
            check_key(point.metric, f"points/{index}/metric")
            valid.add(point.metric)
        if not -MAX_INTEGER <= point.step <= MAX_INTEGER:
            raise InvalidError("The step is not a 64-bit integer.", f"points/{index}/step")
        if not 0 <= point.logged_at <= MAX_INTEGER:
            raise InvalidError("The time is not in milliseconds since 1970.", f"points/{index}/at")


def check_entries(entries: Entries) -> None:
    """Raise InvalidError for entries that cannot be stored."""
    check_points(entries.points)
    check_params(entries.params)
    check_tags(entries.tags)


def check_params(params: Mapping[str, str]) -> None:
    """Raise InvalidError for too many parameters, or a key or value that cannot be stored."""
    _check_count(params, MAX_PARAMS, "params")
    for key, value in params.items():
        check_key(key, "params")
        check_text(value, MAX_PARAM_VALUE, "params")


def check_tags(tags: Mapping[str, str | None]) -> None:
    """Raise InvalidError for too many tags, or a key or value that cannot be stored."""
    _check_count(tags, MAX_TAGS, "tags")
    for key, value in tags.items():
        check_key(key, "tags")
        check_text(value or "", MAX_TAG_VALUE, "tags")


def check_key(key: str, path: str) -> None:
    """Raise InvalidError for an invalid name of a metric, parameter or tag."""
    if not 0 < len(key) <= MAX_KEY or not key.isprintable():
        raise InvalidError(
            f"Invalid name of a metric, parameter or tag. Use 1 to {MAX_KEY} printable characters.",
            path,
        )


def check_text(text: str, limit: int, path: str) -> None:
    """Raise InvalidError for a text that is too long, or that Postgres cannot store."""
    if len(text) > limit:
        raise InvalidError(f"The text is longer than {limit:,} characters.", path)
    if "\0" in text or any("\ud800" <= character <= "\udfff" for character in text):
        raise InvalidError("The text has a character that cannot be stored.", path)


def check_note(note: str) -> None:
    """Raise InvalidError for a note that cannot be stored."""
    check_text(note, MAX_NOTE, "note")


def check_owner(owner: str) -> None:
    """Raise InvalidError for an owner that cannot be stored."""
    check_text(owner, MAX_OWNER, "owner")


def check_name(name: str) -> None:
    """Raise InvalidError for a name that no experiment can have."""
    if not NAME_PATTERN.fullmatch(name):
        raise InvalidError(f"Invalid name. {NAME_RULE}", "name")


def check_task(task: str) -> None:
    """Raise InvalidError for a name that no task can have."""
    if not TASK_PATTERN.fullmatch(task):
        raise InvalidError(
            "Invalid task. Use at most 32 characters of a-z 0-9 _ - and start with a letter.",
            "task",
        )


def check_run_id(run_id: str) -> None:
    """Raise InvalidError for a run id that is not 32 hexadecimal digits."""
    if not RUN_ID.fullmatch(run_id):
        raise InvalidError("The run id is not 32 hexadecimal digits in lower case.", "run_id")


def _check_count(entries: Mapping[str, object], limit: int, path: str) -> None:
    if len(entries) > limit:
        raise InvalidError(f"More than {limit:,} entries. Send fewer.", path)
