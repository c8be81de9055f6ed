"""Encoders of Postgres's COPY formats: binary rows, and lines of text for short values.

A binary row is the number of its fields, then each field's length and bytes; numbers are big
endian. Neither side then spends time on digits. Source: the chapter "COPY" of Postgres's manual.
"""

import struct
import sys
from array import array
from collections.abc import Sequence
from functools import lru_cache

HEADER = b"PGCOPY\n\xff\r\n\0" + struct.pack("!ii", 0, 0)
END = struct.pack("!h", -1)
NULL = struct.pack("!i", -1)
# Postgres counts microseconds from 2000-01-01, Unix from 1970.
EPOCH_MICROSECONDS = 946_684_800_000_000
TEXT_OID, REAL_OID, INT8_OID, FLOAT8_OID = 25, 700, 20, 701

_COUNT = struct.Struct("!h")
_LENGTH = struct.Struct("!i")
_INTEGER, _BIGINT, _REAL, _DOUBLE = (struct.Struct(f"!i{kind}") for kind in "iqfd")
_NO_TEXTS = struct.pack("!iiii", 12, 0, 0, TEXT_OID)
_TEXT_ESCAPES = str.maketrans({"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r"})
_IS_LITTLE_ENDIAN = sys.byteorder == "little"


def text_line(*values: object) -> bytes:
    """Return a line of the text format; None is null."""
    fields = [r"\N" if value is None else str(value).translate(_TEXT_ESCAPES) for value in values]
    return ("\t".join(fields) + "\n").encode()


def begin_row(fields: int) -> bytes:
    """Return the start of a binary row of `fields` fields; the fields follow."""
    return _COUNT.pack(fields)


def raw(value: bytes) -> bytes:
    """Return a field of these bytes; a uuid's are its 16."""
    return _LENGTH.pack(len(value)) + value


def text(value: str | None) -> bytes:
    """Return a text field, or null."""
    return NULL if value is None else raw(value.encode())


def integer(value: int) -> bytes:
    """Return an integer field, 4 bytes."""
    return _INTEGER.pack(4, value)


def bigint(value: int) -> bytes:
    """Return a bigint field, 8 bytes."""
    return _BIGINT.pack(8, value)


def real(value: float | None) -> bytes:
    """Return a real field, 4 bytes, or null."""
    return NULL if value is None else _REAL.pack(4, value)


def double(value: float) -> bytes:
    """Return a double precision field, 8 bytes."""
    return _DOUBLE.pack(8, value)


def timestamptz(microseconds: int) -> bytes:
    """Return a timestamptz field of a Unix time in microseconds."""
    return bigint(microseconds - EPOCH_MICROSECONDS)


def reals(values: Sequence[float]) -> bytes:
    """Return a real[] field: one dimension from index 1, no nulls."""
    count = len(values)
    elements: list[float] = [4] * (2 * count)
    elements[1::2] = values
    return _real_array(count).pack(20 + 8 * count, 1, 0, REAL_OID, count, 1, *elements)


def texts(values: Sequence[str]) -> bytes:
    """Return a text[] field: one dimension from index 1, no nulls."""
    if not values:
        return _NO_TEXTS
    head = struct.pack("!iiiii", 1, 0, TEXT_OID, len(values), 1)
    return raw(head + b"".join(map(text, values)))


def bigints(values: Sequence[int]) -> bytes:
    """Return a bigint[] field: one dimension from index 1, no nulls."""
    return _array_of_eights(INT8_OID, array("q", values))


def doubles(values: Sequence[float]) -> bytes:
    """Return a double precision[] field: one dimension from index 1, no nulls."""
    return _array_of_eights(FLOAT8_OID, array("d", values))


@lru_cache(maxsize=64)
def _real_array(count: int) -> struct.Struct:
    return struct.Struct("!iiiiii" + "if" * count)


def _array_of_eights(oid: int, numbers: "array[int] | array[float]") -> bytes:
    """Return an array field of 8-byte numbers, each behind its length; fast for long curves."""
    if _IS_LITTLE_ENDIAN:
        numbers.byteswap()
    words = array("I", numbers.tobytes())
    lengths = array("I", [8]) * len(numbers)
    if _IS_LITTLE_ENDIAN:
        lengths.byteswap()
    fields = array("I", bytes(12 * len(numbers)))
    fields[0::3], fields[1::3], fields[2::3] = lengths, words[0::2], words[1::2]
    return raw(struct.pack("!iiiii", 1, 0, oid, len(numbers), 1) + fields.tobytes())
