"""Validation: each function, with values that it accepts and values that it rejects."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from inference.api import validation
from inference.errors import MalformedRequestError

UUID = "0190f3e2-7c1a-7b5e-9d41-2f6a8c3b1e07"


def fault(function: Callable[..., Any], *arguments: Any) -> str | None:
    """Return the path of the fault that a function raises."""
    with pytest.raises(MalformedRequestError) as raised:
        function(*arguments)
    return raised.value.path


def test_record_accepts_an_object_of_known_fields() -> None:
    assert validation.record({"a": 1}, ("a", "b")) == {"a": 1}
    assert validation.record({}, ("a",)) == {}


@pytest.mark.parametrize("document", [None, [], "a", 7, {"a": 1, "c": 2}])
def test_record_rejects_anything_else(document: Any) -> None:
    assert fault(validation.record, document, ("a", "b")) == ""


@pytest.mark.parametrize("value", ["a", "é", "a" * 5, " a "])
def test_text_accepts_printable_texts(value: str) -> None:
    assert validation.text({"field": value}, "field", 5) == value


@pytest.mark.parametrize(
    "document",
    [{}, *({"field": value} for value in (None, 7, "", "   ", "a" * 6, "a\n", "\x00", "\ud800"))],
)
def test_text_rejects_anything_else(document: dict[str, Any]) -> None:
    assert fault(validation.text, document, "field", 5) == "field"


@pytest.mark.parametrize("name", ["a", "0", "A_b.c-d", "a" * 128])
def test_name_accepts_names(name: str) -> None:
    assert validation.name(name) == name
    assert validation.pinned_name(name) == (name, None)


@pytest.mark.parametrize(
    "name", ["", "-a", ".a", "_a", "a b", "a\n", "a" * 129, "é", "a/b", "\u0661"]
)
def test_name_rejects_anything_else(name: str) -> None:
    assert fault(validation.name, name) == "experiment_name"
    assert fault(validation.pinned_name, name) == "experiment_name"


def test_pinned_name_splits_name_and_version() -> None:
    assert validation.pinned_name("a@3") == ("a", 3)
    assert validation.pinned_name("a@999999999") == ("a", 999_999_999)


@pytest.mark.parametrize("name", ["a@", "@1", "a@x", "a@-1", "a@1@1", "a@1000000000", "a@\u0661"])
def test_pinned_name_rejects_other_pins(name: str) -> None:
    assert fault(validation.pinned_name, name) == "experiment_name"


def test_alias_accepts_words() -> None:
    assert validation.alias("mnist", "champion") == ("mnist", "champion")
    assert validation.alias("a" * 32, "b-_2") == ("a" * 32, "b-_2")


@pytest.mark.parametrize(
    ("task", "alias", "path"),
    [
        ("", "champion", "task"),
        ("Mnist", "champion", "task"),
        ("a" * 33, "champion", "task"),
        ("mnist", "2a", "alias"),
        ("mnist", "a\n", "alias"),
        ("mnist", "all", "alias"),
    ],
)
def test_alias_rejects_anything_else(task: str, alias: str, path: str) -> None:
    assert fault(validation.alias, task, alias) == path


@pytest.mark.parametrize(
    ("document", "version"),
    [({}, None), ({"v": None}, None), ({"v": 1}, 1), ({"v": 2**31 - 1},) * 2],
)
def test_version_accepts_whole_numbers(document: dict[str, Any], version: Any) -> None:
    expected = version["v"] if isinstance(version, dict) else version
    assert validation.version(document, "v") == expected


@pytest.mark.parametrize("value", [0, -1, 2**31, 1.0, "1", True])
def test_version_rejects_anything_else(value: Any) -> None:
    assert fault(validation.version, {"v": value}, "v") == "v"


def test_identity_is_canonical() -> None:
    assert validation.identity(UUID.upper(), "id") == UUID


@pytest.mark.parametrize("value", ["", "x", UUID[:-1], UUID.replace("-", ""), f"{{{UUID}}}"])
def test_identity_rejects_anything_else(value: str) -> None:
    assert fault(validation.identity, value, "id") == "id"


def test_digest_accepts_only_64_lower_hexadecimal_digits() -> None:
    assert validation.digest("0a" * 32, "digest") == "0a" * 32
    for value in ("", "0a" * 31, "0A" * 32, "0g" * 32, "0a" * 32 + "\n"):
        assert fault(validation.digest, value, "digest") == "digest"


@pytest.mark.parametrize(
    ("value", "microsecond", "hour"),
    [
        ("2026-01-31T12:00:00Z", 0, 12),
        ("2026-01-31t12:00:00z", 0, 12),
        ("2026-01-31T12:00:00.5Z", 500_000, 12),
        ("2026-01-31T12:00:00.123456789Z", 123_456, 12),
        ("2026-01-31T13:00:00+01:00", 0, 12),
        ("2026-01-31T13:00:00 01:00", 0, 12),
        ("2026-01-31T10:30:00-01:30", 0, 12),
    ],
)
def test_time_is_in_utc(value: str, microsecond: int, hour: int) -> None:
    assert validation.time(value, "since") == datetime(
        2026, 1, 31, hour, microsecond=microsecond, tzinfo=UTC
    )


@pytest.mark.parametrize(
    "value",
    [
        "",
        "yesterday",
        "2026-01-31",
        "2026-01-31T12:00:00",
        "2026-13-01T00:00:00Z",
        "2026-01-01T00:00:60Z",
        "0001-01-01T00:00:00+14:00",
        "2026-01-31T12:00:00.0123456789Z",
    ],
)
def test_time_rejects_anything_else(value: str) -> None:
    assert fault(validation.time, value, "since") == "since"
