"""Fields of JSON bodies: typed reads, and the place of a fault."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import orjson
import pytest

from tracking.errors import InvalidError, UnsupportedTypeError
from tracking.native.fields import Fields, body, no_query
from tracking.routing import Call

Read = Callable[[Fields, str], Any]


def call(
    content: bytes, media_type: str = "application/json", query: Mapping[str, str] | None = None
) -> Call:
    return Call({}, query or {}, {"content-type": media_type}, content)


def refusal(read: Read, value: Any) -> str | None:
    """Return the place of the fault of a value that is refused."""
    with pytest.raises(InvalidError) as error:
        read(Fields({"field": value}), "field")
    return error.value.path


@pytest.mark.parametrize("media_type", ["application/json", "Application/JSON ; charset=utf-8"])
def test_body_of_json_has_its_fields(media_type: str) -> None:
    fields = body(call(b'{"a": "x"}', media_type), frozenset({"a", "b"}), frozenset({"a"}))
    assert (fields.text("a"), fields.text("b")) == ("x", None)


@pytest.mark.parametrize("media_type", ["", "text/plain", "application/jsonl"])
def test_body_of_another_type_is_unsupported(media_type: str) -> None:
    with pytest.raises(UnsupportedTypeError):
        body(call(b"{}", media_type), frozenset())


@pytest.mark.parametrize("content", [b"{", b"[]", b"null", b'"text"', b'{"a": NaN}'])
def test_body_that_is_not_an_object_is_refused(content: bytes) -> None:
    with pytest.raises(InvalidError, match="JSON"):
        body(call(content), frozenset({"a"}))


def test_unknown_and_missing_fields_are_named() -> None:
    with pytest.raises(InvalidError) as unknown:
        body(call(orjson.dumps({"c" * 200: 1})), frozenset({"b", "a"}))
    assert (unknown.value.path, unknown.value.detail) == (
        "c" * 100,
        "Unknown field. Known are a, b.",
    )
    with pytest.raises(InvalidError) as missing:
        body(call(b""), frozenset({"a"}), frozenset({"a"}))
    assert (missing.value.path, missing.value.detail) == ("a", "The field is missing.")


def test_unknown_parameter_of_the_query_is_named() -> None:
    no_query(call(b"", query={"metric": "loss"}), frozenset({"metric"}))
    with pytest.raises(InvalidError) as error:
        no_query(call(b"", query={"metrics": "loss"}), frozenset({"metric"}))
    assert error.value.path == "metrics"


@pytest.mark.parametrize(
    ("read", "value"),
    [
        (Fields.text, ""),
        (Fields.integer, 2**63),
        (Fields.integer, 0),
        (Fields.boolean, False),
        (Fields.array, []),
        (Fields.state, "killed"),
        (Fields.tags, {"a": ""}),
        (Fields.tag_changes, {"a": None, "b": "x"}),
    ],
)
def test_value_of_the_type_is_returned(read: Read, value: Any) -> None:
    assert read(Fields({"field": value}), "field") == value


@pytest.mark.parametrize(
    ("read", "empty"),
    [
        (Fields.text, None),
        (Fields.integer, None),
        (Fields.boolean, None),
        (Fields.time, None),
        (Fields.state, None),
        (Fields.params, {}),
        (Fields.tags, {}),
        (Fields.tag_changes, {}),
    ],
)
def test_absent_and_null_fields_are_alike(read: Read, empty: Any) -> None:
    assert read(Fields({}), "field") == read(Fields({"field": None}), "field") == empty


@pytest.mark.parametrize(
    ("read", "values"),
    [
        (Fields.text, [1, True, [], {}]),
        (Fields.required_text, [None, 1]),
        (Fields.integer, [1.0, True, "1"]),
        (Fields.boolean, [0, 1, "true"]),
        (Fields.time, ["", "yesterday", "2026-13-01", "0001-01-01T00:00:00+23:59", 5]),
        (Fields.state, ["", "RUNNING", "done"]),
        (Fields.params, ["a", [], {"a": None}, {"a": []}, {"a": {}}]),
        (Fields.tags, ["a", {"a": 1}, {"a": None}]),
        (Fields.tag_changes, ["a", {"a": 1}]),
        (Fields.array, [None, "a", {}]),
    ],
)
def test_value_of_another_type_is_refused(read: Read, values: list[Any]) -> None:
    assert {refusal(read, value) for value in values} == {"field"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-01-31T12:00:00Z", datetime(2026, 1, 31, 12, tzinfo=UTC)),
        ("2026-01-31T12:00:00", datetime(2026, 1, 31, 12, tzinfo=UTC)),
        ("2026-01-31T12:00:00.25+02:00", datetime(2026, 1, 31, 10, 0, 0, 250_000, tzinfo=UTC)),
    ],
)
def test_time_is_in_utc(text: str, expected: datetime) -> None:
    time = Fields({"field": text}).time("field")
    assert time == expected
    assert time is not None
    assert time.tzinfo is UTC


def test_params_are_written_as_json_writes_them() -> None:
    document = {"a": 0.1, "b": 10, "c": True, "d": "x", "e": 1e-05}
    expected = {"a": "0.1", "b": "10", "c": "true", "d": "x", "e": "0.00001"}
    assert Fields({"field": document}).params("field") == expected
