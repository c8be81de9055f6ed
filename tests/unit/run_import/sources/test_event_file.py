import struct
from pathlib import Path

import pytest

from run_import.past_run import ImportRunsError
from run_import.sources.event_file import Events, masked_checksum, read_events


def field(number: int, value: bytes | int) -> bytes:
    """Return a field of a message whose numbers are below 128."""
    if isinstance(value, int):
        return bytes([number << 3, value])
    return bytes([number << 3 | 2, len(value)]) + value


def record(event: bytes) -> bytes:
    length = struct.pack("<Q", len(event))
    checksums = (masked_checksum(length), masked_checksum(event))
    return length + struct.pack("<I", checksums[0]) + event + struct.pack("<I", checksums[1])


def scalar(tag: str, step: int, value: bytes) -> bytes:
    time = b"\x09" + struct.pack("<d", 1.5)
    return record(time + field(2, step) + field(5, field(1, field(1, tag.encode()) + value)))


def simple(value: float) -> bytes:
    return b"\x15" + struct.pack("<f", value)


def tensor(value: float, shape: bytes = b"") -> bytes:
    content = field(1, 1) + field(2, shape) + field(4, struct.pack("<f", value))
    return field(8, content)


def read(path: Path, data: bytes) -> Events:
    path.write_bytes(data)
    events = Events()
    read_events(path, events)
    return events


def test_checksum_of_a_real_record() -> None:
    """The length of a record that TensorFlow 2.21 wrote, with its checksum."""
    [expected] = struct.unpack("<I", b"\x87\t\x99\x96")
    assert masked_checksum(struct.pack("<Q", 0x4B)) == expected


def test_read_events_returns_scalars_of_both_kinds(tmp_path: Path) -> None:
    version = record(b"\x09" + bytes(8) + field(3, b"brain.Event:2"))
    data = version + scalar("loss", 0, simple(0.5)) + scalar("loss", 7, tensor(0.25))
    assert read(tmp_path / "a", data) == Events({"loss": [(0, 1500, 0.5), (7, 1500, 0.25)]})


def test_read_events_ignores_what_is_no_scalar(tmp_path: Path) -> None:
    image = scalar("image", 0, field(4, b"png"))
    histogram = scalar("histogram", 0, tensor(1.0, shape=field(2, field(1, 3))))
    text = scalar("text", 0, field(8, field(1, 7) + field(8, b"hi")))
    assert read(tmp_path / "a", image + histogram + text) == Events()


def test_read_events_returns_hyperparameters(tmp_path: Path) -> None:
    number = b"\x11" + struct.pack("<d", 0.001)
    values = [(b"lr", number), (b"optimizer", field(3, b"adam")), (b"nesterov", field(4, 1))]
    entries = b"".join(field(1, field(1, key) + field(2, value)) for key, value in values)
    metadata = field(9, field(1, field(2, field(3, entries))))
    events = read(tmp_path / "a", scalar("_hparams_/session_start_info", 0, metadata))
    assert events.params == {"lr": "0.001", "optimizer": "adam", "nesterov": "True"}


def test_read_events_cut_off_keeps_the_earlier_points(tmp_path: Path) -> None:
    data = scalar("loss", 0, simple(0.5)) + scalar("loss", 1, simple(0.25))
    for removed in (1, 30):
        events = read(tmp_path / "a", data[:-removed])
        assert events == Events({"loss": [(0, 1500, 0.5)]}, is_cut_off=True)


@pytest.mark.parametrize("data", [b"not an event file", bytes(100), record(b"\x0b")])
def test_read_events_of_another_file_is_told(tmp_path: Path, data: bytes) -> None:
    with pytest.raises(ImportRunsError, match="not an event file"):
        read(tmp_path / "a", data)
