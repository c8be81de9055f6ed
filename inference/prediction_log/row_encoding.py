"""Row encoding: rows of the log's tables in the binary format of Postgres's COPY."""

import struct
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from servicekit import pg_copy

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECONDS_PER_MINUTE = 60_000_000

# The columns that all events of a request share come first, so that they are encoded once. A row
# consists of encode_shared_event_columns, CACHED_AND_UUID_LENGTH, the prediction's id, UUID_LENGTH
# and the event's id.
EVENT_COLUMNS = "at, request_id, source, protocol, milliseconds, cached, prediction_id, id"
PREDICTION_COLUMNS = (
    "id, image_id, model_version_id, class_index, confidence, probabilities, created_at, events,"
    " last_event_at"
)
IMAGE_COLUMNS = (
    "id, digest, width, height, bytes, media_type, ink_share, mean, centroid_x, centroid_y, border,"
    " first_seen_at, warnings"
)
PIXEL_COLUMNS = "image_id, pixels"
EVENT_START, PREDICTION_START, IMAGE_START, PIXEL_START = (
    pg_copy.begin_row(columns.count(",") + 1)
    for columns in (EVENT_COLUMNS, PREDICTION_COLUMNS, IMAGE_COLUMNS, PIXEL_COLUMNS)
)
UUID_LENGTH = struct.pack("!i", 16)
CACHED_AND_UUID_LENGTH = {
    cached: pg_copy.raw(bytes([cached])) + UUID_LENGTH for cached in (False, True)
}


def encode_shared_event_columns(
    at: int, request_id: str, source: str | None, protocol: str, milliseconds: float
) -> bytes:
    """Return the start of an event's row, without its last three columns. `at` is in us."""
    return (
        EVENT_START
        + pg_copy.timestamptz(at)
        + pg_copy.text(request_id)
        + _text(source)
        + _text(protocol)
        + pg_copy.real(milliseconds)
    )


def encode_image(document: Mapping[str, Any], statistics: Iterable[float | None], at: int) -> bytes:
    """Return the row of an image. `at` is Unix time in us."""
    return b"".join(
        [
            IMAGE_START,
            pg_copy.raw(uuid_bytes(document["digest"][:32])),
            pg_copy.text(document["digest"]),
            *(pg_copy.integer(document[name]) for name in ("width", "height", "bytes")),
            pg_copy.text(document["media_type"]),
            *map(pg_copy.real, statistics),
            pg_copy.timestamptz(at),
            pg_copy.texts(document.get("warnings", ())),  # older records have none
        ]
    )


def encode_pixels(digest: str, pixels: bytes) -> bytes:
    """Return the row of the 784 pixels of an image."""
    return PIXEL_START + pg_copy.raw(uuid_bytes(digest[:32])) + pg_copy.raw(pixels)


def encode_prediction(
    prediction_id: bytes, image: str, version: str, probabilities: list[float], at: int
) -> bytes:
    """Return the row of a prediction without its last two columns, which its events determine."""
    confidence = max(probabilities)
    return b"".join(
        [
            PREDICTION_START,
            *map(pg_copy.raw, (prediction_id, uuid_bytes(image[:32]), uuid_bytes(version))),
            pg_copy.integer(probabilities.index(confidence)),
            pg_copy.real(confidence),
            pg_copy.reals(probabilities),
            pg_copy.timestamptz(at),
        ]
    )


def encode_event_summary(events: int, last_event_at: int) -> bytes:
    """Return the last two columns of a prediction's row."""
    return pg_copy.bigint(events) + pg_copy.timestamptz(last_event_at)


def uuid_bytes(text: str) -> bytes:
    """Return the 16 bytes of a UUID."""
    return bytes.fromhex(text.replace("-", ""))


@lru_cache(maxsize=4096)
def timestamp_text(microseconds: int) -> str:
    """Return a Unix time in us as text that Postgres reads."""
    return (EPOCH + timedelta(microseconds=microseconds)).isoformat()


@lru_cache(maxsize=64)
def partition_month(minutes: int) -> str:
    """Return the month of a Unix time in minutes as a partition's name ends, such as 2026_01."""
    return f"{EPOCH + timedelta(minutes=minutes):%Y_%m}"


@lru_cache(maxsize=256)
def _text(text: str | None) -> bytes:
    return pg_copy.text(text)
