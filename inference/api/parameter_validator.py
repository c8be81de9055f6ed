"""What a parameter of a request should be, in words.

Connexion's own repeat what the caller sent, and name no parameter.
"""

import re
from collections.abc import Mapping
from typing import Any

from connexion.validators import ParameterValidator

FAULT = re.compile(r"The (?:query|path) parameter ([a-z_]+) must be .+")
WORDS = {"boolean": "true or false", "number": "a number", "string": "a text"}


class NamingValidator(ParameterValidator):  # type: ignore[misc]  # connexion is untyped
    """Says which parameter is wrong, and what it should be."""

    @staticmethod
    def validate_parameter(
        parameter_type: str, value: Any, param: Mapping[str, Any], param_name: str | None = None
    ) -> str | None:
        """Return what is wrong with a parameter, None when nothing is."""
        fault: str | None = ParameterValidator.validate_parameter(
            parameter_type, value, param, param_name
        )
        if fault is None or fault.startswith("Missing "):
            return fault
        return f"The {parameter_type} parameter {param['name']} must be {_wanted(param.get('schema', param))}"


def _wanted(schema: Mapping[str, Any]) -> str:
    if "enum" in schema:
        return f"one of {', '.join(map(str, schema['enum']))}"
    if schema.get("type") != "integer":
        return WORDS.get(str(schema.get("type")), "as the API's document has it")
    least, most = schema.get("minimum"), schema.get("maximum")
    bounds = (
        f" of {least} to {most}"
        if most is not None
        else f" from {least} on"
        if least is not None
        else ""
    )
    return f"a whole number{bounds}"
