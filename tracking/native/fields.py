"""Fields of JSON bodies: typed reads that name the place of a fault."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, get_args

import orjson

from tracking.errors import InvalidError, UnsupportedTypeError
from tracking.routing import Call
from tracking.runs import State

JSON = "application/json"
STATES = get_args(State)


def body(call: Call, known: frozenset[str], required: frozenset[str] = frozenset()) -> "Fields":
    """Return the fields of a body, all of which must be known.

    Raises UnsupportedTypeError, InvalidError.
    """
    media_type = call.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != JSON:
        raise UnsupportedTypeError
    document = call.json()
    for name in document:
        if name not in known:
            raise InvalidError(f"Unknown field. Known are {', '.join(sorted(known))}.", name[:100])
    for name in sorted(required):
        if name not in document:
            raise InvalidError("The field is missing.", name)
    return Fields(document)


def no_query(call: Call, known: frozenset[str] = frozenset()) -> None:
    """Raise InvalidError for a parameter of the query that the operation does not have."""
    for name in call.query:
        if name not in known:
            raise InvalidError("The operation has no such parameter in the query.", name[:100])


class Fields:
    """A JSON object. A field that is absent or null is None. Every method raises InvalidError."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._document = document

    def text(self, name: str) -> str | None:
        """Return a text."""
        value = self._document.get(name)
        if value is not None and not isinstance(value, str):
            raise InvalidError("The value is not a text.", name)
        return value

    def required_text(self, name: str) -> str:
        """Return a text that is not null."""
        value = self.text(name)
        if value is None:
            raise InvalidError("The value is not a text.", name)
        return value

    def integer(self, name: str) -> int | None:
        """Return a whole number."""
        value = self._document.get(name)
        if value is not None and (not isinstance(value, int) or isinstance(value, bool)):
            raise InvalidError("The value is not a whole number.", name)
        return value

    def boolean(self, name: str) -> bool | None:
        """Return true or false."""
        value = self._document.get(name)
        if value is not None and not isinstance(value, bool):
            raise InvalidError("The value is not true or false.", name)
        return value

    def time(self, name: str) -> datetime | None:
        """Return a time that is written as RFC 3339. One without an offset is in UTC."""
        text = self.text(name)
        if text is None:
            return None
        try:
            time = datetime.fromisoformat(text)
            time = time if time.tzinfo else time.replace(tzinfo=UTC)
            return time.astimezone(UTC)
        except (ValueError, OverflowError) as error:
            raise InvalidError(
                "The value is not a time like 2026-01-31T12:00:00Z.", name
            ) from error

    def state(self, name: str) -> State | None:
        """Return a state of a run."""
        text = self.text(name)
        if text is not None and text not in STATES:
            raise InvalidError(f"Unknown state. Use one of {', '.join(STATES)}.", name)
        return text  # type: ignore[return-value]  # one of them

    def params(self, name: str) -> dict[str, str]:
        """Return an object of texts, numbers and booleans as texts."""
        return {key: _as_text(value, name) for key, value in self._object(name).items()}

    def tags(self, name: str) -> dict[str, str]:
        """Return an object of texts."""
        found: dict[str, str] = {}
        for key, value in self._object(name).items():
            if not isinstance(value, str):
                raise InvalidError("A value is not a text.", name)
            found[key] = value
        return found

    def tag_changes(self, name: str) -> dict[str, str | None]:
        """Return an object of texts and nulls."""
        found: dict[str, str | None] = {}
        for key, value in self._object(name).items():
            if value is not None and not isinstance(value, str):
                raise InvalidError("A value is neither a text nor null.", name)
            found[key] = value
        return found

    def array(self, name: str) -> list[Any]:
        """Return a list."""
        value = self._document.get(name)
        if not isinstance(value, list):
            raise InvalidError("The value is not a list.", name)
        return value

    def _object(self, name: str) -> dict[str, Any]:
        value = self._document.get(name)
        if value is None:
            return {}
        if not isinstance(value, dict):
            raise InvalidError("The value is not an object.", name)
        return value


def _as_text(value: object, path: str) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, int | float):
        return orjson.dumps(value).decode()
    raise InvalidError("A value is not a text, number, true or false.", path)
