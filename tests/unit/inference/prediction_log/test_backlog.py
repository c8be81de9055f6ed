"""The backlog is what the shipped offsets leave."""

import time
from pathlib import Path

import pytest

from inference.prediction_log.backlog import pending_bytes, pending_seconds
from inference.prediction_log.segments import list_segments
from inference.prediction_log.shipped_offsets import ORIGINALS, ROWS, ShippedOffsets


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    now = int(time.time() * 1e6)
    for name, age_seconds in (("a", 20), ("b", 10)):
        line = f'{{"at":{now - age_seconds * 1_000_000}}}\n'
        (tmp_path / f"{name}.000001.jsonl").write_text(line)
    return tmp_path


def test_pending_without_offsets_is_everything(folder: Path) -> None:
    sizes = [segment.size for segment in list_segments(folder)]
    assert pending_bytes(folder) == sum(sizes)
    assert pending_seconds(folder) == pytest.approx(20, abs=2)


def test_pending_excludes_shipped_rows(folder: Path) -> None:
    first, second = list_segments(folder)
    offsets = ShippedOffsets(folder)
    offsets.put(ROWS, first, first.size)
    offsets.put(ORIGINALS, second, second.size)
    assert pending_bytes(folder) == second.size
    assert pending_seconds(folder) == pytest.approx(10, abs=2)


def test_pending_of_a_missing_directory_is_zero(tmp_path: Path) -> None:
    assert (pending_bytes(tmp_path / "x"), pending_seconds(tmp_path / "x")) == (0, 0)
