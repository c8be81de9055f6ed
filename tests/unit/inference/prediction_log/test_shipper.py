"""The shipper advances, quarantines and rewinds. A fake writer replaces Postgres."""

import json
import logging
import threading
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import psycopg2
import psycopg2.errors
import pytest

from inference.observability.background_status import BackgroundStatus, ShipperCounts
from inference.prediction_log.decoder import InvalidRecordError
from inference.prediction_log.segments import Segment, list_segments
from inference.prediction_log.shipped_offsets import ORIGINALS, ROWS, ShippedOffsets
from inference.prediction_log.shipper import (
    MAX_POSTPONE_SECONDS,
    MIN_POSTPONE_SECONDS,
    QUARANTINE_FILE,
    Shipper,
)
from inference.settings import from_environment

INVALID = b"invalid\n"


class FakeConnection:
    closed = 0

    def close(self) -> None:
        """Stay usable: all fakes share it."""


class FakeWriter:
    """Collects lines, and fails for INVALID ones and on request."""

    connection = FakeConnection()

    def __init__(self) -> None:
        self.lines: list[bytes] = []
        self.failures: list[Exception] = []
        self.max_lines = 1000
        self.slow: list[bytes] = []  # texts of records that cannot be written in time
        self.error: Exception = psycopg2.errors.QueryCanceled("canceling statement")
        self.batch_sizes: list[int] = []

    def write(self, lines: Sequence[bytes]) -> None:
        if self.failures:
            raise self.failures.pop(0)
        if len(lines) > self.max_lines or any(slow in line for slow in self.slow for line in lines):
            raise self.error
        self.batch_sizes.append(len(lines))
        if INVALID in lines:
            raise InvalidRecordError("It is invalid.")
        self.lines += lines


class ShipperHarness:
    def __init__(self, folder: Path, **environment: str) -> None:
        self.folder = folder
        self.offsets = ShippedOffsets(folder)
        self.writer = FakeWriter()
        self.is_storage_failing = False
        settings = from_environment({"JOURNAL_DIR": str(folder), **environment})
        self.status = BackgroundStatus()
        self.shipper = Shipper(
            settings,
            self.offsets,
            is_storage_failing=lambda: self.is_storage_failing,
            status=self.status,
        )
        self.shipper._writer = self.writer  # type: ignore[assignment]

    def add_segment(self, content: bytes) -> Segment:
        path = self.folder / "a.000001.jsonl"
        path.write_bytes(content)
        return Segment(path)


@pytest.fixture
def harness(tmp_path: Path) -> ShipperHarness:
    return ShipperHarness(tmp_path, JOURNAL_BYTES="1000")


@pytest.fixture
def rows_only(tmp_path: Path) -> ShipperHarness:
    """A shipper that stores no originals."""
    return ShipperHarness(tmp_path, IMAGES_STORE="0")


def test_ship_keeps_a_segment_until_originals_are_archived(harness: ShipperHarness) -> None:
    segment = harness.add_segment(b"1\n2\n")
    assert (harness.shipper.ship(), harness.shipper.ship()) == (4, 0)
    assert (harness.writer.lines, harness.offsets.get(ROWS, segment)) == ([b"1\n", b"2\n"], 4)
    assert list_segments(harness.folder) == [segment]
    harness.offsets.put(ORIGINALS, segment, 4)
    harness.shipper.ship()
    assert list_segments(harness.folder) == []


def test_ship_counts_records_and_quarantined_ones(harness: ShipperHarness) -> None:
    harness.add_segment(b"1\n" + INVALID + b"2\n")
    harness.shipper.ship()
    size = len(b"1\n2\n" + INVALID)
    assert harness.status.shipper == ShipperCounts(records=3, bytes=size, quarantined=1)


def test_run_counts_failed_rounds(harness: ShipperHarness) -> None:
    harness.add_segment(b"1\n")
    harness.writer.failures = [psycopg2.OperationalError("gone")]
    stopping = threading.Event()
    stopping.set()
    harness.shipper.run(stopping)
    assert (harness.status.shipper.failed_rounds, harness.status.last_success_at) == (1, None)


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


def numbered(number: int, images: Sequence[str] = ()) -> bytes:
    record = {
        "at": number,
        "events": "0",
        "images": images,
        "requests": ["r"],
        "sources": [None],
        "milliseconds": [1],
        "versions": ["v"],
        "rows": [[[0.5]] * len(images)],
        "cached": [[False] * len(images)],
    }
    return json.dumps(record).encode() + b"\n"


def test_ship_halves_a_batch_that_takes_too_long(rows_only: ShipperHarness) -> None:
    lines = [numbered(number, ["a"] * (number % 7)) for number in range(64)]
    rows_only.add_segment(b"".join(lines))
    rows_only.writer.max_lines = 10
    rows_only.shipper.ship()
    assert rows_only.writer.lines == lines
    assert max(rows_only.writer.batch_sizes) <= 10
    rows_only.writer.max_lines = 1000
    rows_only.writer.lines, rows_only.writer.batch_sizes = [], []
    for number in range(4):
        path = rows_only.folder / f"b.{number}.jsonl"
        path.write_bytes(b"".join(lines))
    rows_only.shipper.ship()
    assert max(rows_only.writer.batch_sizes) == 64  # the size has grown again


def test_ship_postpones_only_the_record_that_takes_too_long(
    rows_only: ShipperHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = [numbered(number, ["a"]) for number in range(8)]
    rows_only.add_segment(b"".join(lines))
    rows_only.writer.slow = [lines[3]]
    rows_only.shipper.ship()
    assert [line for line in rows_only.writer.lines if line in lines] == lines[:3] + lines[4:]
    [postponed] = list_segments(rows_only.folder)
    assert postponed.path.read_bytes() == lines[3]
    rows_only.writer.slow = []
    rows_only.shipper.ship()
    assert lines[3] not in rows_only.writer.lines  # not yet
    now = time.monotonic()
    monkeypatch.setattr(time, "monotonic", lambda: now + MIN_POSTPONE_SECONDS)
    rows_only.shipper.ship()
    assert rows_only.writer.lines[-1] == lines[3]


def test_postponed_record_is_halved_down_to_a_prediction(
    rows_only: ShipperHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    images = ["a", "b", "slow", "d"]
    rows_only.add_segment(numbered(1, images))
    rows_only.writer.slow = [b"slow"]
    now, later = time.monotonic(), 0.0
    monkeypatch.setattr(time, "monotonic", lambda: now + later)
    for _ in range(8):
        rows_only.shipper.ship()
        later += MAX_POSTPONE_SECONDS
    assert images_of(rows_only.writer.lines) == ["a", "b", "d"]
    waiting = [segment.path.read_bytes() for segment in list_segments(rows_only.folder)]
    assert images_of(waiting) == ["slow"]
    rows_only.writer.slow = []
    rows_only.shipper.ship()
    assert images_of(rows_only.writer.lines) == ["a", "b", "d", "slow"]


def test_record_that_ends_the_connection_is_postponed(rows_only: ShipperHarness) -> None:
    """Such as one on which Postgres crashes."""
    lines = [numbered(number, ["a"]) for number in range(4)]
    rows_only.add_segment(b"".join(lines))
    rows_only.writer.slow, rows_only.writer.error = [lines[1]], psycopg2.OperationalError("lost")
    for _ in range(8):
        with suppress(psycopg2.OperationalError):
            rows_only.shipper.ship()
    written = [line for line in rows_only.writer.lines if line in lines]
    assert written == [lines[0], *lines[2:]]
    [postponed] = list_segments(rows_only.folder)
    assert postponed.path.read_bytes() == lines[1]


def images_of(lines: list[bytes]) -> list[str]:
    return sorted(image for line in lines for image in json.loads(line)["images"])


def test_ship_to_a_database_that_writes_nothing_changes_nothing(harness: ShipperHarness) -> None:
    segment = harness.add_segment(numbered(1) + numbered(2))
    harness.writer.max_lines = 0
    with pytest.raises(psycopg2.errors.QueryCanceled):
        harness.shipper.ship()
    assert harness.offsets.get(ROWS, segment) == 0
    assert list_segments(harness.folder) == [segment]


def test_ship_reads_what_the_writer_added_before_it_ended(
    rows_only: ShipperHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    segment = rows_only.add_segment(b"1\n")

    written = [b"1\n"]

    def end(_segment: Segment) -> bool:
        written.append(b"%d\n" % (len(written) + 1))
        with segment.path.open("ab") as file:
            file.write(written[-1])
        return True

    monkeypatch.setattr(Segment, "is_complete", end)
    rows_only.shipper.ship()
    assert rows_only.writer.lines == written
    assert list_segments(rows_only.folder) == []


def test_ship_continues_with_other_segments(
    harness: ShipperHarness, monkeypatch: pytest.MonkeyPatch
) -> None:
    harness.add_segment(b"1\n")
    (harness.folder / "b.000001.jsonl").write_bytes(b"2\n")
    (harness.folder / "c.000001.jsonl").symlink_to(harness.folder / "removed")
    is_complete = Segment.is_complete

    def deny_first(segment: Segment) -> bool:
        if segment.name.startswith("a"):  # root may read every file
            raise PermissionError(13, "Permission denied")
        return is_complete(segment)

    monkeypatch.setattr(Segment, "is_complete", deny_first)
    with pytest.raises(PermissionError):
        harness.shipper.ship()
    assert harness.writer.lines == [b"2\n"]
