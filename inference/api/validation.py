"""The values of a request that openapi.yaml's rules do not check, or not with words of use.

Texts, ids, times, JSON documents.

Each function returns what a value means, or raises MalformedRequestError with the path of the fault.
"""

import re
import uuid
from collections.abc import Collection
from datetime import UTC, datetime
from typing import Any

from inference.errors import MalformedRequestError

UUID_PATTERN = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
DIGEST_PATTERN = re.compile(r"[0-9a-f]{64}")
# RFC 3339. A plus sign that was not escaped in a query arrives as a space.
TIME_PATTERN = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt]([0-9]{2}:[0-9]{2}:[0-9]{2})(\.[0-9]{1,9})?([Zz]|[+ -][0-9]{2}:[0-9]{2})"
)
MAX_VERSION = 2**31 - 1  # an integer of Postgres


def record(document: Any, known: Collection[str]) -> dict[str, Any]:
    """Return a JSON object that has none but these fields."""
    if not isinstance(document, dict) or document.keys() - set(known):
        raise MalformedRequestError(
            f"The body is to be a JSON object of the fields {', '.join(known)}.", ""
        )
    return document


def text(document: dict[str, Any], name: str, most: int) -> str:
    """Return a text of 1 to `most` printable characters, not all of them spaces."""
    if name not in document:
        raise MalformedRequestError(f"The body lacks the field {name}.", name)
    value = document[name]
    if (
        not isinstance(value, str)
        or not 1 <= len(value) <= most
        or not value.isprintable()
        or not value.strip()
    ):
        raise MalformedRequestError(f"{name} is a text of 1 to {most} printable characters.", name)
    return value


def version(document: dict[str, Any], name: str) -> int | None:
    """Return the number of a version, None where there is none."""
    value = document.get(name)
    if value is not None and (
        not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= MAX_VERSION
    ):
        raise MalformedRequestError(f"{name} is a whole number from 1.", name)
    return value


def matched(value: str, pattern: re.Pattern[str], name: str, words: str) -> str:
    """Return a text that a pattern describes, which `words` say."""
    if not pattern.fullmatch(value):
        raise MalformedRequestError(f"{name} is {words}.", name)
    return value


def identity(value: str, name: str) -> str:
    """Return a UUID in its usual form."""
    matched(value, UUID_PATTERN, name, "a UUID, as 0190f3e2-7c1a-7b5e-9d41-2f6a8c3b1e07")
    return str(uuid.UUID(value))


def digest(value: str, name: str) -> str:
    """Return a sha256 in hexadecimal."""
    return matched(value, DIGEST_PATTERN, name, "a sha256: 64 of 0-9 a-f")


def time(value: str, name: str) -> datetime:
    """Return a moment that RFC 3339 names, in UTC."""
    found = TIME_PATTERN.fullmatch(value)
    try:
        if found is None:
            raise ValueError
        day, clock, fraction, zone = found.groups()
        zone = zone.replace(" ", "+").upper().replace("Z", "+00:00")
        return datetime.fromisoformat(
            f"{day}T{clock}{(fraction or '.0')[:7]:0<7}{zone}"
        ).astimezone(UTC)
    except (ValueError, OverflowError):
        raise MalformedRequestError(
            f"{name} is a time as 2026-01-31T12:00:00Z or 2026-01-31T13:00:00%2B01:00.", name
        ) from None
