"""Rows in the binary format of Postgres's COPY.

Numbers and ids need no digits then, which either side would spend its time on.

A row is the number of its fields and the fields, a field its length and its bytes. Numbers are big
endian.
"""

import struct
from collections.abc import Sequence
from functools import lru_cache

HEADER = b"PGCOPY\n\xff\r\n\0" + struct.pack("!ii", 0, 0)
END = struct.pack("!h", -1)
NULL = struct.pack("!i", -1)
# Postgres counts microseconds from 2000-01-01, Unix from 1970.
EPOCH_MICROSECONDS = 946_684_800_000_000
REAL_OID = 700

_COUNT = struct.Struct("!h")
_LENGTH = struct.Struct("!i")
_INTEGER, _BIGINT, _REAL = (struct.Struct(f"!i{kind}") for kind in "iqf")


def begin(fields: int) -> bytes:
    """Return what a row of so many fields begins with.

    The fields, which the functions below make, follow.
    """
    return _COUNT.pack(fields)


def raw(value: bytes) -> bytes:
    """Return a field of these bytes: of a uuid its 16."""
    return _LENGTH.pack(len(value)) + value


def text(value: str | None) -> bytes:
    """Return a text, or null."""
    return NULL if value is None else raw(value.encode())


def integer(value: int) -> bytes:
    """Return an integer."""
    return _INTEGER.pack(4, value)


def bigint(value: int) -> bytes:
    """Return a bigint."""
    return _BIGINT.pack(8, value)


def real(value: float | None) -> bytes:
    """Return a real, or null."""
    return NULL if value is None else _REAL.pack(4, value)


def timestamptz(microseconds: int) -> bytes:
    """Return a Unix time in µs."""
    return bigint(microseconds - EPOCH_MICROSECONDS)


def reals(values: Sequence[float]) -> bytes:
    """Return a real[]: one dimension from index 1, without nulls."""
    pairs = [each for value in values for each in (4, value)]
    return _reals(len(values)).pack(20 + 8 * len(values), 1, 0, REAL_OID, len(values), 1, *pairs)


@lru_cache(maxsize=64)
def _reals(count: int) -> struct.Struct:
    return struct.Struct("!iiiiii" + "if" * count)
