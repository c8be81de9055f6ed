"""The shipper advances, quarantines and rewinds. A fake writer replaces Postgres."""

import logging
from collections.abc import Sequence
from pathlib import Path

import psycopg2
import psycopg2.errors
import pytest

from inference.prediction_log.decoder import InvalidRecordError
from inference.prediction_log.segments import Segment, list_segments
from inference.prediction_log.shipped_offsets import ORIGINALS, ROWS, ShippedOffsets
from inference.prediction_log.shipper import QUARANTINE_FILE, Shipper
from inference.settings import from_environment

INVALID = b"invalid\n"


class FakeWriter:
    """Collects lines, and fails for INVALID ones and on request."""

    connection = None

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self.failures: list[Exception] = []

    def write(self, lines: Sequence[bytes]) -> None:
        if self.failures:
            raise self.failures.pop(0)
        if INVALID in lines:
            raise InvalidRecordError("It is invalid.")
        self.lines += lines


class ShipperHarness:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.offsets = ShippedOffsets(folder)
        self.writer = FakeWriter()
        self.is_storage_failing = False
        settings = from_environment({"JOURNAL_DIR": str(folder), "JOURNAL_BYTES": "1000"})
        self.shipper = Shipper(
            settings, self.offsets, is_storage_failing=lambda: self.is_storage_failing
        )
        self.shipper._writer = self.writer  # type: ignore[assignment]

    def add_segment(self, content: bytes) -> Segment:
        path = self.folder / "a.000001.jsonl"
        path.write_bytes(content)
        return Segment(path)


@pytest.fixture
def harness(tmp_path: Path) -> ShipperHarness:
    return ShipperHarness(tmp_path)


def test_ship_keeps_a_segment_until_originals_are_archived(harness: ShipperHarness) -> None:
    segment = harness.add_segment(b"1\n2\n")
    assert (harness.shipper.ship(), harness.shipper.ship()) == (4, 0)
    assert (harness.writer.lines, harness.offsets.get(ROWS, segment)) == ([b"1\n", b"2\n"], 4)
    assert list_segments(harness.folder) == [segment]
    harness.offsets.put(ORIGINALS, segment, 4)
    harness.shipper.ship()
    assert list_segments(harness.folder) == []


@pytest.mark.parametrize(
    ("size", "is_failing", "is_kept"),
    [(400, True, True), (600, True, False), (600, False, True), (900, False, False)],
)
def test_ship_drops_originals_that_take_too_much_space(
    harness: ShipperHarness,
    caplog: pytest.LogCaptureFixture,
    size: int,
    *,
    is_failing: bool,
    is_kept: bool,
) -> None:
    harness.add_segment(bytes(size - 1) + b"\n")
    harness.is_storage_failing = is_failing
    with caplog.at_level(logging.ERROR):
        harness.shipper.ship()
    assert bool(list_segments(harness.folder)) is is_kept
    assert ("Original images are dropped" in caplog.text) is not is_kept


def test_ship_quarantines_only_an_invalid_record(
    harness: ShipperHarness, caplog: pytest.LogCaptureFixture
) -> None:
    harness.add_segment(b"1\n2\n" + INVALID + b"4\n")
    harness.shipper.ship()
    assert harness.writer.lines == [b"1\n", b"2\n", b"4\n"]
    assert (harness.folder / QUARANTINE_FILE).read_bytes() == INVALID
    assert "It is invalid." in caplog.text


def test_ship_to_another_database_starts_at_the_beginning(harness: ShipperHarness) -> None:
    segment = harness.add_segment(b"1\n2\n")
    harness.offsets.put(ROWS, segment, 2)
    harness.offsets.put(ORIGINALS, segment, 2)
    harness.writer.failures = [psycopg2.errors.ForeignKeyViolation()]
    harness.shipper.ship()
    assert harness.writer.lines == [b"1\n", b"2\n"]
    assert (harness.offsets.get(ROWS, segment), harness.offsets.get(ORIGINALS, segment)) == (4, 0)


def test_ship_without_postgres_changes_nothing(harness: ShipperHarness) -> None:
    segment = harness.add_segment(b"1\n")
    harness.writer.failures = [psycopg2.OperationalError("gone")]
    with pytest.raises(psycopg2.OperationalError):
        harness.shipper.ship()
    assert harness.offsets.get(ROWS, segment) == 0
    assert harness.shipper.ship() == 2


def test_ship_ignores_an_incomplete_last_line(harness: ShipperHarness) -> None:
    harness.add_segment(b'1\n{"at":')
    assert harness.shipper.ship() == 2
    assert harness.writer.lines == [b"1\n"]
