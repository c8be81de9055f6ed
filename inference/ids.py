"""Ids that the service assigns itself, so that a response can name its row before it exists.

A repeated write then adds nothing. Versions and predictions get the id of their content (UUIDv8,
RFC 9562), events the id of their time (UUIDv7).
"""

import itertools
import json
import secrets
from hashlib import blake2b
from typing import Any

# A serial distinguishes events of one millisecond. Each process counts from a random start.
_RANDOM_A = secrets.randbits(12)
_serials = itertools.count(secrets.randbits(43))
MAX_AT_ONCE = 2**18  # more than the predictions of one call
_VERSION_7 = (7 << 76) | (_RANDOM_A << 64) | (0b10 << 62)
_SERIAL_MASK = 2**62 - 1


def of_content(content: Any) -> str:
    """Return the id of a JSON-serializable value."""
    return _uuid(json.dumps(content, sort_keys=True).encode())


def prediction_id(version_id: str, image_digest: str) -> str:
    """Return the id of a model version's prediction for an image."""
    return _uuid(f"{version_id}{image_digest}".encode())


def first_event_id(at_microseconds: int) -> int:
    """Return the first of MAX_AT_ONCE ids for events at one Unix time.

    The id is a number of 128 bits that grows with time.
    """
    serial = next(_serials) * MAX_AT_ONCE
    return ((at_microseconds // 1000) << 80) | _VERSION_7 | (serial & _SERIAL_MASK)


def _uuid(content: bytes) -> str:
    digits = blake2b(content, digest_size=16).hexdigest()
    return f"{digits[:8]}-{digits[8:12]}-8{digits[13:16]}-8{digits[17:20]}-{digits[20:]}"
