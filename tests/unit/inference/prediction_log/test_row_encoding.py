"""Texts and bytes that rows of the log consist of."""

import struct

import pytest

from inference.prediction_log.image_statistics import ImageStatistics
from inference.prediction_log.row_encoding import (
    encode_event_summary,
    encode_image,
    encode_pixels,
    encode_prediction,
    partition_month,
    timestamp_text,
    uuid_bytes,
)
from servicekit import pg_copy

DECEMBER_31_MICROSECONDS = 1_798_761_599_999_999
VERSION = "0123456789abcdef0123456789abcdef"


def test_timestamp_text_keeps_microseconds() -> None:
    assert timestamp_text(DECEMBER_31_MICROSECONDS) == "2026-12-31T23:59:59.999999+00:00"


def test_partition_month_changes_with_the_year() -> None:
    minute = DECEMBER_31_MICROSECONDS // 60_000_000
    assert [partition_month(minute), partition_month(minute + 1)] == ["2026_12", "2027_01"]


def test_uuid_bytes_ignores_hyphens() -> None:
    assert uuid_bytes("01234567-89ab-cdef-0123-456789abcdef") == uuid_bytes(VERSION)


@pytest.mark.parametrize("text", ["", "ab" * 15, "ab" * 17])
def test_uuid_bytes_of_another_length_raises(text: str) -> None:
    with pytest.raises(ValueError, match="UUID"):
        uuid_bytes(text)


def test_prediction_row_has_nine_columns_and_its_maximum() -> None:
    at, uuid = DECEMBER_31_MICROSECONDS, uuid_bytes(VERSION)
    row = encode_prediction(bytes(16), "ab" * 32, VERSION, [0.25, 0.5, 0.25], at)
    assert row + encode_event_summary(1, at) == pg_copy.begin_row(9) + b"".join(
        [
            *map(pg_copy.raw, (bytes(16), bytes.fromhex("ab" * 16), uuid)),
            pg_copy.integer(1),
            pg_copy.real(0.5),
            pg_copy.reals([0.25, 0.5, 0.25]),
            pg_copy.timestamptz(at),
            pg_copy.bigint(1),
            pg_copy.timestamptz(at),
        ]
    )


@pytest.mark.parametrize("centroid", [(13.5, 14.25), (None, None)])
@pytest.mark.parametrize("warnings", [(), ("several digits (2)",)])
def test_image_row_has_thirteen_columns(
    centroid: tuple[float | None, float | None], warnings: tuple[str, ...]
) -> None:
    document = {"digest": "ab" * 32, "width": 20, "height": 30, "bytes": 400}
    document |= {"media_type": "image/png", "warnings": warnings}
    statistics = ImageStatistics(0.25, 63.5, *centroid, 1.5)
    row = encode_image(document, statistics, DECEMBER_31_MICROSECONDS)
    assert row == pg_copy.begin_row(13) + b"".join(
        [
            pg_copy.raw(bytes.fromhex("ab" * 16)),
            pg_copy.text("ab" * 32),
            *map(pg_copy.integer, (20, 30, 400)),
            pg_copy.text("image/png"),
            *map(pg_copy.real, (0.25, 63.5, *centroid, 1.5)),
            pg_copy.timestamptz(DECEMBER_31_MICROSECONDS),
            pg_copy.texts(warnings),
        ]
    )


def test_pixel_row_has_the_id_and_the_pixels_of_an_image() -> None:
    pixels = bytes(range(256)) * 3 + bytes(16)
    row = encode_pixels("ab" * 32, pixels)
    assert struct.unpack("!hi", row[:6]) == (2, 16)
    assert row[6:22] == bytes.fromhex("ab" * 16)
    assert row[22:] == struct.pack("!i", 784) + pixels


def test_event_summary_is_two_columns_of_eight_bytes() -> None:
    assert len(encode_event_summary(3, DECEMBER_31_MICROSECONDS)) == 2 * (4 + 8)
