"""Parameter validation: errors that name the parameter and its rule, never the client's value."""

from collections.abc import Mapping
from typing import Any

from connexion.validators import ParameterValidator

from inference.errors import MalformedRequestError

RULES = {"boolean": "true or false", "number": "a number", "string": "a text"}


class InvalidParameterError(MalformedRequestError):
    """400: a parameter is missing or breaks its rule; `path` is its name."""


class NamedParameterValidator(ParameterValidator):  # type: ignore[misc]  # connexion is untyped
    """Connexion's validator, whose own messages repeat the value and omit the name."""

    @staticmethod
    def validate_parameter(
        parameter_type: str,
        value: Any,
        param: Mapping[str, Any],
        param_name: str | None = None,
    ) -> None:
        """Check a parameter. Raises InvalidParameterError."""
        fault = ParameterValidator.validate_parameter(parameter_type, value, param, param_name)
        if fault is None:
            return
        name = param["name"]
        if value is None:
            raise InvalidParameterError(
                f"The {parameter_type} parameter {name} is missing. Add it.", name
            )
        rule = _rule(param.get("schema", param))
        raise InvalidParameterError(f"The {parameter_type} parameter {name} must be {rule}.", name)


def _rule(schema: Mapping[str, Any]) -> str:
    if "enum" in schema:
        return f"one of {', '.join(map(str, schema['enum']))}"
    if schema.get("type") != "integer":
        return RULES.get(str(schema.get("type")), "as in /api/v1.0/openapi.json")
    minimum, maximum = schema.get("minimum"), schema.get("maximum")
    if maximum is not None:
        return f"a whole number from {minimum} to {maximum}"
    return "a whole number" if minimum is None else f"a whole number from {minimum}"
