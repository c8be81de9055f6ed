"""Fields of a request: the JSON of MLflow's protocol buffers, in which an integer may be text."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from tracking.errors import InvalidError, UnknownProjectError

MAX_INTEGER: Final = 2**63 - 1
MAX_ID_DIGITS: Final = 18
MAX_MILLISECONDS: Final = 253_402_300_799_999  # the end of the year 9999


class Fields:
    """Fields of a JSON object, or parameters of a query. Every method raises InvalidError."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = values

    def text(self, *names: str) -> str | None:
        """Return the first of these fields that has a text, None without one."""
        for name in names:
            value = self._values.get(name)
            if value is None:
                continue
            if not isinstance(value, str):
                raise InvalidError(f"The field {name} is not a text. Send a text.", name)
            if "\0" in value:
                raise InvalidError(f"The field {name} has a NUL character. Remove it.", name)
            return value
        return None

    def required_text(self, *names: str) -> str:
        """Return the first of these fields that has a text, which must not be empty."""
        value = self.text(*names)
        if not value:
            raise InvalidError(f"The field {names[0]} is missing. Send it.", names[0])
        return value

    def integer(self, name: str) -> int | None:
        """Return a number of 64 bits, None without one."""
        value = self._values.get(name)
        if value is None:
            return None
        try:
            if isinstance(value, bool) or (isinstance(value, float) and not value.is_integer()):
                raise ValueError
            number = int(value)
        except (TypeError, ValueError, OverflowError) as error:
            raise InvalidError(f"The field {name} is not an integer. Send one.", name) from error
        if not -MAX_INTEGER <= number <= MAX_INTEGER:
            raise InvalidError(f"The field {name} does not fit into 64 bits.", name)
        return number

    def number(self, name: str) -> float:
        """Return a number, which may be NaN or infinite: as text, like "NaN" and "-Infinity"."""
        value = self._values.get(name)
        try:
            if isinstance(value, bool) or value is None:
                raise ValueError
            return float(value)
        except (TypeError, ValueError, OverflowError) as error:
            raise InvalidError(f"The field {name} is not a number. Send one.", name) from error

    def time(self, name: str) -> datetime | None:
        """Return a time that is given in milliseconds since 1970, None without one."""
        milliseconds = self.integer(name)
        return None if milliseconds is None else from_milliseconds(milliseconds)

    def objects(self, name: str) -> "list[Fields]":
        """Return a list of objects, empty without one."""
        values = self._list(name)
        if not all(isinstance(value, dict) for value in values):
            raise InvalidError(f"The field {name} is not a list of objects. Send one.", name)
        return [Fields(value) for value in values]

    def texts(self, name: str) -> list[str]:
        """Return a list of texts, empty without one. A single text is a list of one."""
        values = self._list(name)
        if not all(isinstance(value, str) and "\0" not in value for value in values):
            raise InvalidError(f"The field {name} is not a list of texts. Send one.", name)
        return list(values)

    def _list(self, name: str) -> list[Any]:
        value = self._values.get(name)
        if value is None:
            return []
        if isinstance(value, str):
            return [value]
        if not isinstance(value, list):
            raise InvalidError(f"The field {name} is not a list. Send one.", name)
        return value


def from_milliseconds(milliseconds: int) -> datetime:
    """Return the time in UTC. Raises InvalidError outside the years 1970 to 9999."""
    if not 0 <= milliseconds <= MAX_MILLISECONDS:
        raise InvalidError("A time is outside the years 1970 to 9999. Send milliseconds.")
    return datetime.fromtimestamp(milliseconds / 1000, UTC)


def project_id(experiment_id: str) -> int:
    """Return the project of an experiment_id. Raises UnknownProjectError if it is not a number."""
    if not (
        experiment_id.isascii() and experiment_id.isdigit() and len(experiment_id) <= MAX_ID_DIGITS
    ):
        raise UnknownProjectError
    return int(experiment_id)
