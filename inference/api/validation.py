"""Validation of values beyond openapi.yaml's rules: names, texts, ids, times, JSON objects.

Each function returns the parsed value, or raises MalformedRequestError with the path of the fault.
"""

import re
import uuid
from collections.abc import Collection
from datetime import UTC, datetime
from typing import Any

from inference.errors import MalformedRequestError
from inference.model_format.layout import NAME_PATTERN
from inference.models.catalog import ALIAS_PATTERN, ALL

UUID_PATTERN = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
DIGEST_PATTERN = re.compile(r"[0-9a-f]{64}")
# RFC 3339. A plus sign that was not escaped in a query arrives as a space.
TIME_PATTERN = re.compile(
    r"([0-9]{4}-[0-9]{2}-[0-9]{2})[Tt]([0-9]{2}:[0-9]{2}:[0-9]{2})"
    r"(\.[0-9]{1,9})?([Zz]|[+ -][0-9]{2}:[0-9]{2})"
)
MAX_VERSION = 2**31 - 1  # an integer of Postgres
MAX_LABEL, MAX_PERSON, MAX_REASON = 64, 100, 500  # characters
NAME_RULE = "1 to 128 characters A-Z a-z 0-9 _ . -, starting with a letter or digit"
WORD_RULE = "1 to 32 characters a-z 0-9 _ -, starting with a letter"
EXPERIMENT_NAME = "experiment_name"


def record(document: Any, fields: Collection[str]) -> dict[str, Any]:
    """Return a JSON object that has no other fields than these."""
    if not isinstance(document, dict) or document.keys() - set(fields):
        raise MalformedRequestError(
            f"The body must be a JSON object with the fields {', '.join(fields)}.", ""
        )
    return document


def text(document: dict[str, Any], field: str, max_length: int) -> str:
    """Return a text of 1 to `max_length` printable characters, not all of them spaces."""
    if field not in document:
        raise MalformedRequestError(f"The body has no field {field}. Add it.", field)
    value = document[field]
    is_text = isinstance(value, str) and value.isprintable() and value.strip()
    if not is_text or len(value) > max_length:
        raise MalformedRequestError(
            f"{field} must be a text of 1 to {max_length} printable characters.", field
        )
    return str(value)


def name(value: str) -> str:
    """Return the name of an experiment or model."""
    return _matched(value, NAME_PATTERN, EXPERIMENT_NAME, NAME_RULE)


def pinned_name(value: str) -> tuple[str, int | None]:
    """Return the name and version of NAME or NAME@3; the version is None without @."""
    own_name, at, pin = value.partition("@")
    is_version = pin.isascii() and pin.isdigit() and len(pin) < len(str(MAX_VERSION))
    if not NAME_PATTERN.fullmatch(own_name) or (at and not is_version):
        raise MalformedRequestError(
            "experiment_name must be NAME or NAME@VERSION.", EXPERIMENT_NAME
        )
    return own_name, int(pin) if at else None


def alias(task: str, own_alias: str) -> tuple[str, str]:
    """Return the names of a task and an alias."""
    _matched(task, ALIAS_PATTERN, "task", WORD_RULE)
    _matched(own_alias, ALIAS_PATTERN, "alias", WORD_RULE)
    if own_alias == ALL:
        raise MalformedRequestError(
            "`all` cannot be an alias because it names every model. Choose another word.", "alias"
        )
    return task, own_alias


def version(document: dict[str, Any], field: str) -> int | None:
    """Return a version number, None where the field is missing or null."""
    value = document.get(field)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or not 1 <= value <= MAX_VERSION:
        raise MalformedRequestError(f"{field} must be a whole number from 1.", field)
    return value


def identity(value: str, field: str) -> str:
    """Return a UUID in its canonical form."""
    rule = "a UUID, such as 0190f3e2-7c1a-7b5e-9d41-2f6a8c3b1e07"
    return str(uuid.UUID(_matched(value, UUID_PATTERN, field, rule)))


def digest(value: str, field: str) -> str:
    """Return a SHA-256 in hexadecimal."""
    return _matched(value, DIGEST_PATTERN, field, "a SHA-256: 64 characters 0-9 a-f")


def time(value: str, field: str) -> datetime:
    """Return a time of RFC 3339 in UTC."""
    found = TIME_PATTERN.fullmatch(value)
    try:
        if found is None:
            raise ValueError
        day, clock, fraction, zone = found.groups()
        zone = zone.replace(" ", "+").upper().replace("Z", "+00:00")
        microseconds = f"{(fraction or '.0')[:7]:0<7}"
        return datetime.fromisoformat(f"{day}T{clock}{microseconds}{zone}").astimezone(UTC)
    except (ValueError, OverflowError):
        raise MalformedRequestError(
            f"{field} must be a time such as 2026-01-31T12:00:00Z or 2026-01-31T13:00:00%2B01:00.",
            field,
        ) from None


def _matched(value: str, pattern: re.Pattern[str], field: str, rule: str) -> str:
    if not pattern.fullmatch(value):
        raise MalformedRequestError(f"{field} must be {rule}.", field)
    return value
