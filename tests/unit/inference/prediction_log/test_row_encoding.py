"""Texts and bytes that rows of the log consist of."""

import struct

from inference.prediction_log.row_encoding import (
    encode_event_summary,
    encode_pixels,
    encode_prediction,
    partition_month,
    timestamp_text,
    uuid_bytes,
)

DECEMBER_31_MICROSECONDS = 1_798_761_599_999_999
VERSION = "0123456789abcdef0123456789abcdef"


def test_timestamp_text_keeps_microseconds() -> None:
    assert timestamp_text(DECEMBER_31_MICROSECONDS) == "2026-12-31T23:59:59.999999+00:00"


def test_partition_month_changes_with_the_year() -> None:
    minute = DECEMBER_31_MICROSECONDS // 60_000_000
    assert [partition_month(minute), partition_month(minute + 1)] == ["2026_12", "2027_01"]


def test_uuid_bytes_ignores_hyphens() -> None:
    assert uuid_bytes("01234567-89ab-cdef-0123-456789abcdef") == uuid_bytes(VERSION)


def test_prediction_row_has_nine_columns_and_its_maximum() -> None:
    row = encode_prediction(uuid_bytes(VERSION), "ab" * 32, VERSION, [0.25, 0.75], 0)
    assert struct.unpack("!h", row[:2]) == (9,)
    class_index, confidence = row[2 + 3 * 20 :][4:8], row[2 + 3 * 20 + 8 :][4:8]
    assert struct.unpack("!i", class_index) == (1,)
    assert struct.unpack("!f", confidence) == (0.75,)


def test_pixel_row_has_the_id_and_the_pixels_of_an_image() -> None:
    pixels = bytes(range(256)) * 3 + bytes(16)
    row = encode_pixels("ab" * 32, pixels)
    assert struct.unpack("!hi", row[:6]) == (2, 16)
    assert row[6:22] == bytes.fromhex("ab" * 16)
    assert row[22:] == struct.pack("!i", 784) + pixels


def test_event_summary_is_two_columns_of_eight_bytes() -> None:
    assert len(encode_event_summary(3, DECEMBER_31_MICROSECONDS)) == 2 * (4 + 8)
