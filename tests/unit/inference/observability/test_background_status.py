"""Background status: counts that the background process writes and the service reads."""

import time
from pathlib import Path

import pytest

from inference.observability import background_status
from inference.observability.background_status import (
    STATUS_FILE,
    BackgroundStatus,
    PipelineState,
    ShipperCounts,
    read_status,
)

PIPELINE = PipelineState({"QUEUED": 2}, 7.5, 1, None, 1000.0)


def test_status_is_read_as_written(tmp_path: Path) -> None:
    status = BackgroundStatus(tmp_path, ShipperCounts(postponed=1, quarantined=2))
    status.pipeline = PIPELINE
    status.count_shipped(3, 400)
    status.end_round(is_failing=False)
    read = read_status(tmp_path)
    assert read is not None
    assert read.shipper == ShipperCounts(3, 400, 1, 2, 0)
    assert read.pipeline == PIPELINE
    assert read.last_success_at == pytest.approx(time.time(), abs=5)


def test_failed_round_keeps_the_time_of_the_last_success(tmp_path: Path) -> None:
    status = BackgroundStatus(tmp_path)
    status.end_round(is_failing=True)
    read = read_status(tmp_path)
    assert read is not None
    assert (read.shipper.failed_rounds, read.last_success_at) == (1, None)


def test_rounds_in_quick_succession_write_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    status = BackgroundStatus(tmp_path)
    status.end_round(is_failing=False)
    written = (tmp_path / STATUS_FILE).stat().st_ino
    status.count_shipped(1, 1)
    status.end_round(is_failing=False)
    assert (tmp_path / STATUS_FILE).stat().st_ino == written
    monkeypatch.setattr(background_status, "WRITE_SECONDS", 0)
    status.end_round(is_failing=False)
    read = read_status(tmp_path)
    assert read is not None
    assert read.shipper.records == 1


def test_idle_rounds_write_seldom(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(background_status, "WRITE_SECONDS", 0)
    status = BackgroundStatus(tmp_path)
    status.end_round(is_failing=False)
    written = (tmp_path / STATUS_FILE).stat().st_ino
    status.end_round(is_failing=False)
    assert (tmp_path / STATUS_FILE).stat().st_ino == written


def test_unwritable_directory_does_not_stop_the_shipper(tmp_path: Path) -> None:
    BackgroundStatus(tmp_path / "gone").end_round(is_failing=False)


@pytest.mark.parametrize("content", ["", "{", "[]", '{"shipper": {}}', '{"shipper": {"x": 1}}'])
def test_invalid_file_is_no_status(tmp_path: Path, content: str) -> None:
    assert read_status(tmp_path) is None
    (tmp_path / STATUS_FILE).write_text(content)
    assert read_status(tmp_path) is None
