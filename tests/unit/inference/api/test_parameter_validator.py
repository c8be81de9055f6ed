"""Parameter validation: errors that name the parameter and its rule, not the value."""

from typing import Any

import pytest

from inference.api.parameter_validator import InvalidParameterError, NamedParameterValidator

VALUE = "secret"


def detail(schema: dict[str, Any], value: Any = VALUE, *, is_required: bool = True) -> str:
    """Return the detail of the error for a query parameter `limit`."""
    parameter = {"name": "limit", "in": "query", "required": is_required, "schema": schema}
    with pytest.raises(InvalidParameterError) as raised:
        NamedParameterValidator.validate_parameter("query", value, parameter)
    assert raised.value.path == "limit"
    assert VALUE not in raised.value.detail
    return raised.value.detail


@pytest.mark.parametrize(
    ("schema", "rule"),
    [
        ({"type": "integer", "minimum": 1, "maximum": 9}, "a whole number from 1 to 9"),
        ({"type": "integer", "minimum": 1}, "a whole number from 1"),
        ({"type": "integer"}, "a whole number"),
        ({"type": "boolean"}, "true or false"),
        ({"type": "number"}, "a number"),
        ({"type": "string", "pattern": "^[0-9]+$"}, "a text"),
        ({"type": "string", "enum": ["a", "b"]}, "one of a, b"),
        ({"not": {}}, "as in /api/v1.0/openapi.json"),
    ],
)
def test_bad_value_is_described_by_its_rule(schema: dict[str, Any], rule: str) -> None:
    assert detail(schema) == f"The query parameter limit must be {rule}."


def test_missing_parameter_is_named() -> None:
    assert detail({"type": "integer"}, None) == "The query parameter limit is missing. Add it."


@pytest.mark.parametrize(("value", "is_required"), [(7, True), (None, False)])
def test_good_value_raises_nothing(value: int | None, *, is_required: bool) -> None:
    parameter = {
        "name": "limit",
        "in": "query",
        "required": is_required,
        "schema": {"type": "integer", "minimum": 1},
    }
    NamedParameterValidator.validate_parameter("query", value, parameter)
