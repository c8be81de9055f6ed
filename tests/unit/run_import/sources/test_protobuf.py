import pytest

from run_import.sources.protobuf import (
    InvalidMessageError,
    as_bytes,
    as_signed,
    read_fields,
    read_nested,
)


def test_read_fields_of_all_types() -> None:
    message = b"\x08\x96\x01" + b"\x12\x02hi" + b"\x1d\x00\x00\x80?" + b"\x21" + bytes(8)
    assert read_fields(message) == [(1, 150), (2, b"hi"), (3, b"\0\0\x80?"), (4, bytes(8))]


def test_read_nested_follows_a_path() -> None:
    assert list(read_nested(b"\x0a\x04\x12\x02hi\x0a\x00", 1, 2)) == [b"hi"]


def test_as_signed_reads_negative_steps() -> None:
    [(_, value)] = read_fields(b"\x08" + b"\xff" * 9 + b"\x01")
    assert as_signed(value) == -1


@pytest.mark.parametrize("message", [b"\x08", b"\x12\x05hi", b"\x0b", b"\x08" + b"\xff" * 11])
def test_read_fields_damaged_is_refused(message: bytes) -> None:
    with pytest.raises(InvalidMessageError):
        read_fields(message)


def test_field_of_another_type_is_refused() -> None:
    with pytest.raises(InvalidMessageError):
        as_bytes(1)
    with pytest.raises(InvalidMessageError):
        as_signed(b"1")
