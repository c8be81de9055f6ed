"""COPY encoders: bytes of each type, compared with the formats of Postgres's manual."""

import struct

import pytest

from servicekit import pg_copy


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        (pg_copy.integer(-2), struct.pack("!ii", 4, -2)),
        (pg_copy.bigint(2**40), struct.pack("!iq", 8, 2**40)),
        (pg_copy.real(0.5), struct.pack("!if", 4, 0.5)),
        (pg_copy.double(0.1), struct.pack("!id", 8, 0.1)),
        (pg_copy.text("é"), struct.pack("!i2s", 2, "é".encode())),
        (pg_copy.text(""), struct.pack("!i", 0)),
        (pg_copy.text(None), pg_copy.NULL),
        (pg_copy.real(None), pg_copy.NULL),
        (pg_copy.raw(b"abc"), struct.pack("!i3s", 3, b"abc")),
    ],
)
def test_field_is_its_length_and_its_bytes(field: bytes, expected: bytes) -> None:
    assert field == expected


def test_timestamptz_counts_from_2000() -> None:
    year_2000_microseconds = 946_684_800 * 1_000_000
    assert pg_copy.timestamptz(year_2000_microseconds + 1) == pg_copy.bigint(1)


@pytest.mark.parametrize(
    ("array", "oid", "kind", "values"),
    [
        (pg_copy.reals([0.5, -1.0]), 700, "f", [0.5, -1.0]),
        (pg_copy.doubles([0.1, -1.0, 2.0]), 701, "d", [0.1, -1.0, 2.0]),
        (pg_copy.bigints([1, -(2**40)]), 20, "q", [1, -(2**40)]),
        (pg_copy.bigints([]), 20, "q", []),
    ],
)
def test_array_has_one_dimension_and_no_nulls(
    array: bytes, oid: int, kind: str, values: list[float]
) -> None:
    width = struct.calcsize(kind)
    elements = b"".join(struct.pack(f"!i{kind}", width, value) for value in values)
    body = struct.pack("!iiiii", 1, 0, oid, len(values), 1) + elements
    assert array == struct.pack("!i", len(body)) + body


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (pg_copy.texts([]), struct.pack("!iiii", 12, 0, 0, 25)),
        (pg_copy.texts(["é"]), struct.pack("!iiiiiii2s", 26, 1, 0, 25, 1, 1, 2, "é".encode())),
    ],
)
def test_texts_is_an_array_of_text(array: bytes, expected: bytes) -> None:
    assert array == expected


def test_row_begins_with_the_number_of_its_fields() -> None:
    assert pg_copy.begin_row(3) == b"\0\x03"


def test_text_line_escapes_special_characters() -> None:
    assert pg_copy.text_line("a\tb\n\\", None, 1) == b"a\\tb\\n\\\\\t\\N\t1\n"
