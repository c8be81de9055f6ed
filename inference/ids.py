"""Ids that the service makes itself, so that an answer can name its row before there is one, and a
repeated write adds nothing.

Those of versions and predictions come from their content (UUIDv8, RFC 9562), those of events from
the time (UUIDv7).
"""

import itertools
import json
import secrets
from hashlib import blake2b
from typing import Any

# Within a millisecond events are told apart by a number that every process starts somewhere else
# and counts on.
_RANDOM_A = secrets.randbits(12)
_serials = itertools.count(secrets.randbits(43))
MAX_AT_ONCE = 2**18  # more than a call gives answers
_VERSION_7 = (7 << 76) | (_RANDOM_A << 64) | (0b10 << 62)
_SERIAL_MASK = 2**62 - 1


def of_content(content: Any) -> str:
    """Return the id of something that JSON can say."""
    return _uuid(json.dumps(content, sort_keys=True).encode())


def prediction_id(version_id: str, image_digest: str) -> str:
    """Return the id of what a version of a model says of an image."""
    return _uuid(f"{version_id}{image_digest}".encode())


def first_event_id(at_microseconds: int) -> int:
    """Return the first of MAX_AT_ONCE ids for events of one moment (Unix time, µs), as a number of
    128 bits rising with time.
    """
    serial = next(_serials) * MAX_AT_ONCE
    return ((at_microseconds // 1000) << 80) | _VERSION_7 | (serial & _SERIAL_MASK)


def _uuid(content: bytes) -> str:
    digits = blake2b(content, digest_size=16).hexdigest()
    return f"{digits[:8]}-{digits[8:12]}-8{digits[13:16]}-8{digits[17:20]}-{digits[20:]}"
