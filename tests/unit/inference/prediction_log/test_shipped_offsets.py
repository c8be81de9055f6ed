"""Shipped offsets survive a restart and a broken file."""

import logging
from pathlib import Path

import pytest

from inference.prediction_log.segments import Segment
from inference.prediction_log.shipped_offsets import (
    OFFSETS_FILE,
    ORIGINALS,
    ROWS,
    ShippedOffsets,
    read_offsets,
)

SEGMENT = Segment(Path("a.000001.jsonl"))


def test_offsets_are_kept_by_purpose(tmp_path: Path) -> None:
    offsets = ShippedOffsets(tmp_path)
    offsets.put(ROWS, SEGMENT, 10)
    offsets.put(ORIGINALS, SEGMENT, 5)
    restarted = ShippedOffsets(tmp_path)
    assert (restarted.get(ROWS, SEGMENT), restarted.get(ORIGINALS, SEGMENT)) == (10, 5)


def test_advance_after_a_reset_changes_nothing(tmp_path: Path) -> None:
    offsets = ShippedOffsets(tmp_path)
    assert offsets.advance(ORIGINALS, SEGMENT, 0, 5)
    offsets.put(ORIGINALS, SEGMENT, 0)
    assert not offsets.advance(ORIGINALS, SEGMENT, 5, 9)
    assert offsets.get(ORIGINALS, SEGMENT) == 0


def test_remove_deletes_the_offsets_of_a_segment(tmp_path: Path) -> None:
    offsets = ShippedOffsets(tmp_path)
    offsets.put(ROWS, SEGMENT, 10)
    offsets.remove(SEGMENT)
    assert read_offsets(tmp_path) == {}


@pytest.mark.parametrize(
    "content", [b"", b"[1", b"12", b'{"a.000001.jsonl": 5}', b'{"a.000001.jsonl": {"rows": "x"}}']
)
def test_broken_file_counts_as_no_offsets(tmp_path: Path, content: bytes) -> None:
    (tmp_path / OFFSETS_FILE).write_bytes(content)
    assert ShippedOffsets(tmp_path).get(ROWS, SEGMENT) == 0


def test_put_without_a_directory_warns_and_goes_on(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    offsets = ShippedOffsets(tmp_path / "missing")
    with caplog.at_level(logging.WARNING):
        offsets.put(ROWS, SEGMENT, 10)
    assert offsets.get(ROWS, SEGMENT) == 10
    assert "Cannot write the shipped offsets" in caplog.text
