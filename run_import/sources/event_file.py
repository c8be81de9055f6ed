"""TensorBoard event files: scalars and hyperparameters, read without TensorFlow.

A record is its length (8 bytes), a checksum of the length, the event, and a checksum of the event.
Field numbers are those of event.proto, summary.proto, tensor.proto and types.proto of TensorFlow,
and of plugins/hparams/plugin_data.proto of TensorBoard.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from run_import.past_run import ImportRunsError
from run_import.sources.protobuf import (
    InvalidMessageError,
    as_bytes,
    as_signed,
    read_fields,
    read_nested,
)

MAX_EVENT_BYTES: Final = 2**30
LENGTH: Final = struct.Struct("<QI")
LENGTH_BYTES, CHECKSUM_BYTES = 8, 4
CRC_32C, CRC_MASK, BITS_32 = 0x82F63B78, 0xA282EAD8, 0xFFFFFFFF
WALL_TIME, STEP, SUMMARY = 1, 2, 5  # of an Event
SUMMARY_VALUE = 1
TAG, SIMPLE_VALUE, TENSOR, METADATA = 1, 2, 8, 9  # of a Summary.Value
DTYPE, SHAPE, CONTENT = 1, 2, 4  # of a TensorProto
DIMENSION = 2  # of a TensorShapeProto
# Of a DataType with one number: the format of its bytes, and its field of a TensorProto
NUMBERS: Final = {1: ("<f", 5), 2: ("<d", 6), 3: ("<i", 7), 9: ("<q", 10)}
SESSION_TAG: Final = "_hparams_/session_start_info"
# SummaryMetadata.plugin_data.content, then HParamsPluginData.session_start_info.hparams
HPARAMS: Final = (1, 2, 3, 1)
KEY, VALUE = 1, 2  # of an entry of a map
NUMBER_VALUE, STRING_VALUE, BOOL_VALUE = 2, 3, 4  # of a google.protobuf.Value


@dataclass
class Events:
    """Scalars (step, time in ms, value) by tag, and hyperparameters.

    `is_cut_off` says that a file ends within a record, as that of a killed training does.
    """

    scalars: dict[str, list[tuple[int, int, float]]] = field(default_factory=dict)
    params: dict[str, str] = field(default_factory=dict)
    is_cut_off: bool = False


class _CutOffError(Exception):
    """The file ends within a record."""


def read_events(path: Path, events: Events) -> None:
    """Add the events of a file. Raises ImportRunsError for a file of another kind."""
    try:
        for record in _records(path.read_bytes()):
            _read_event(record, events)
    except _CutOffError:
        events.is_cut_off = True
    except OSError as error:
        raise ImportRunsError(f"{path} cannot be read: {error}") from error
    except (InvalidMessageError, UnicodeDecodeError, struct.error) as error:
        raise ImportRunsError(
            f"{path} is not an event file of TensorBoard, or it is damaged. Remove it."
        ) from error


def _records(data: bytes) -> Iterator[bytes]:
    start = 0
    while start < len(data):
        if start + LENGTH.size > len(data):
            raise _CutOffError
        length, checksum = LENGTH.unpack_from(data, start)
        is_valid = checksum == masked_checksum(data[start : start + LENGTH_BYTES])
        if not is_valid or length > MAX_EVENT_BYTES:
            raise InvalidMessageError
        start += LENGTH.size
        if start + length + CHECKSUM_BYTES > len(data):
            raise _CutOffError
        yield data[start : start + length]
        start += length + CHECKSUM_BYTES


def masked_checksum(data: bytes) -> int:
    """Return the CRC-32C of bytes, rotated and shifted as TFRecord files have it."""
    checksum = BITS_32
    for byte in data:
        checksum ^= byte
        for _ in range(8):
            checksum = (checksum >> 1) ^ (CRC_32C if checksum & 1 else 0)
    checksum ^= BITS_32
    return (((checksum >> 15) | (checksum << 17)) + CRC_MASK) & BITS_32


def _read_event(record: bytes, events: Events) -> None:
    fields = dict(read_fields(record))
    if SUMMARY not in fields:
        return
    [time] = struct.unpack("<d", as_bytes(fields.get(WALL_TIME, bytes(8))))
    step = as_signed(fields.get(STEP, 0))
    for number, value in read_fields(as_bytes(fields[SUMMARY])):
        if number == SUMMARY_VALUE:
            _read_value(as_bytes(value), step, round(time * 1000), events)


def _read_value(message: bytes, step: int, time: int, events: Events) -> None:
    fields = dict(read_fields(message))
    tag = as_bytes(fields.get(TAG, b"")).decode()
    number: float | None = None
    if tag == SESSION_TAG:
        events.params.update(_hyperparameters(as_bytes(fields.get(METADATA, b""))))
    elif SIMPLE_VALUE in fields:
        [number] = struct.unpack("<f", as_bytes(fields[SIMPLE_VALUE]))
    elif TENSOR in fields:
        number = _scalar(as_bytes(fields[TENSOR]))
    if number is not None:
        events.scalars.setdefault(tag, []).append((step, time, number))


def _scalar(tensor: bytes) -> float | None:
    """Return the number of a tensor without dimensions, None for any other tensor."""
    fields = dict(read_fields(tensor))
    shape = read_fields(as_bytes(fields.get(SHAPE, b"")))
    layout, name = NUMBERS.get(as_signed(fields.get(DTYPE, 0)), ("", 0))
    if not layout or any(number == DIMENSION for number, _ in shape):
        return None
    content = fields.get(CONTENT) or fields.get(name)
    if isinstance(content, int):
        return float(as_signed(content))
    if content is None or len(content) != struct.calcsize(layout):
        return None
    return float(struct.unpack(layout, content)[0])


def _hyperparameters(metadata: bytes) -> dict[str, str]:
    found = {}
    for entry in read_nested(metadata, *HPARAMS):
        fields = dict(read_fields(entry))
        key = as_bytes(fields.get(KEY, b"")).decode()
        for kind, content in read_fields(as_bytes(fields.get(VALUE, b""))):
            if kind == NUMBER_VALUE:
                found[key] = f"{struct.unpack('<d', as_bytes(content))[0]:.15g}"
            elif kind == STRING_VALUE:
                found[key] = as_bytes(content).decode()
            elif kind == BOOL_VALUE:
                found[key] = str(bool(content))
    return found
