"""Row encoding: rows of the log's tables in the binary format of Postgres's COPY."""

import struct
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from inference.prediction_log.image_statistics import ImageStatistics
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
EVENT_FIELDS, PREDICTION_FIELDS, IMAGE_FIELDS, PIXEL_FIELDS = (
    columns.count(",") + 1
    for columns in (EVENT_COLUMNS, PREDICTION_COLUMNS, IMAGE_COLUMNS, PIXEL_COLUMNS)
)
EVENT_START, PIXEL_START = map(pg_copy.begin_row, (EVENT_FIELDS, PIXEL_FIELDS))
# Neighboring fields of fixed length are packed at once, each behind its length.
PREDICTION_START = struct.Struct("!h i16s i16s i16s ii if")
IMAGE_START, IMAGE_SIZES = struct.Struct("!h i16s i"), struct.Struct("!ii ii ii")
IMAGE_END, TWO_REALS = struct.Struct("!if iq"), struct.Struct("!if if")
UUID_BYTES = 16
UUID_LENGTH = struct.pack("!i", UUID_BYTES)
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


def encode_image(document: Mapping[str, Any], statistics: ImageStatistics, at: int) -> bytes:
    """Return the row of an image. `at` is Unix time in us."""
    digest = document["digest"].encode()
    image_id = uuid_bytes(document["digest"][:32])
    width, height, size = document["width"], document["height"], document["bytes"]
    ink_share, mean, x, y, border = statistics
    return b"".join(
        (
            IMAGE_START.pack(IMAGE_FIELDS, 16, image_id, len(digest)),
            digest,
            IMAGE_SIZES.pack(4, width, 4, height, 4, size),
            _text(document["media_type"]),
            TWO_REALS.pack(4, ink_share, 4, mean),
            pg_copy.NULL * 2 if x is None else TWO_REALS.pack(4, x, 4, y),
            IMAGE_END.pack(4, border, 8, at - pg_copy.EPOCH_MICROSECONDS),
            pg_copy.texts(document.get("warnings", ())),  # older records have none
        )
    )


def encode_pixels(digest: str, pixels: bytes) -> bytes:
    """Return the row of the 784 pixels of an image."""
    return PIXEL_START + pg_copy.raw(uuid_bytes(digest[:32])) + pg_copy.raw(pixels)


def encode_prediction(
    prediction_id: bytes, image: str, version: str, probabilities: list[float], at: int
) -> bytes:
    """Return the row of a prediction without its last two columns, which its events determine."""
    image_id, version_id = uuid_bytes(image[:32]), uuid_bytes(version)
    confidence = max(probabilities)
    index = probabilities.index(confidence)
    start = PREDICTION_START.pack(
        PREDICTION_FIELDS, 16, prediction_id, 16, image_id, 16, version_id, 4, index, 4, confidence
    )
    return start + pg_copy.reals(probabilities) + pg_copy.timestamptz(at)


def encode_event_summary(events: int, last_event_at: int) -> bytes:
    """Return the last two columns of a prediction's row."""
    return pg_copy.bigint(events) + pg_copy.timestamptz(last_event_at)


def uuid_bytes(text: str) -> bytes:
    """Return the 16 bytes of a UUID. Raises ValueError."""
    value = bytes.fromhex(text.replace("-", ""))
    if len(value) != UUID_BYTES:
        raise ValueError(f"{text!r} is not a UUID.")
    return value


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
