"""Protocol buffers: the fields of a message by their numbers, without its description."""

from collections.abc import Iterator
from typing import Final

VARINT, FIXED_64, BYTES, FIXED_32 = 0, 1, 2, 5  # types of the wire format
LENGTHS: Final = {FIXED_64: 8, FIXED_32: 4}
TYPE_BITS: Final = 3
CONTINUATION: Final = 0x80
MAX_SHIFT: Final = 63

Value = int | bytes


class InvalidMessageError(Exception):
    """The bytes are not a message, or a field has another type."""


def read_fields(message: bytes) -> list[tuple[int, Value]]:
    """Return the numbers and values of the fields, in their order. Raises InvalidMessageError."""
    fields: list[tuple[int, Value]] = []
    start = 0
    while start < len(message):
        key, start = _read_varint(message, start)
        number, kind = key >> TYPE_BITS, key & (2**TYPE_BITS - 1)
        if kind == VARINT:
            value, start = _read_varint(message, start)
            fields.append((number, value))
            continue
        if kind == BYTES:
            length, start = _read_varint(message, start)
        elif kind in LENGTHS:
            length = LENGTHS[kind]
        else:
            raise InvalidMessageError
        if start + length > len(message):
            raise InvalidMessageError
        fields.append((number, message[start : start + length]))
        start += length
    return fields


def read_nested(message: bytes, *path: int) -> Iterator[bytes]:
    """Yield the messages at a path of field numbers. Raises InvalidMessageError."""
    if not path:
        yield message
        return
    for number, value in read_fields(message):
        if number == path[0]:
            yield from read_nested(as_bytes(value), *path[1:])


def as_bytes(value: Value) -> bytes:
    """Return the bytes of a field. Raises InvalidMessageError for an integer."""
    if isinstance(value, int):
        raise InvalidMessageError
    return value


def as_signed(value: Value) -> int:
    """Return an int64 field. Raises InvalidMessageError for bytes."""
    if isinstance(value, bytes):
        raise InvalidMessageError
    return value - 2**64 if value >= 2**63 else value


def _read_varint(message: bytes, start: int) -> tuple[int, int]:
    """Return an integer of 7 bits a byte, and the position behind it."""
    value = shift = 0
    while shift <= MAX_SHIFT and start < len(message):
        byte = message[start]
        value |= (byte & ~CONTINUATION) << shift
        start, shift = start + 1, shift + 7
        if byte < CONTINUATION:
            return value, start
    raise InvalidMessageError
