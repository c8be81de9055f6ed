"""The archiver reports failures once and searches for expired originals at intervals."""

import logging
import threading
from pathlib import Path

import psycopg2
import pytest

from inference.database.retention import RetentionClock
from inference.originals.archiver import OriginalsArchiver
from inference.originals.store import StorageUnavailableError
from inference.prediction_log.shipped_offsets import ShippedOffsets
from inference.settings import from_environment


def make_archiver(folder: Path, **environment: str) -> OriginalsArchiver:
    settings = from_environment(
        {"JOURNAL_DIR": str(folder), "IMAGES_URL": str(folder / "images"), **environment}
    )
    return OriginalsArchiver(settings, ShippedOffsets(folder), RetentionClock())


def fail() -> int:
    raise StorageUnavailableError("The disk is full.")


def test_try_task_logs_the_first_of_several_failures(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    archiver = make_archiver(tmp_path)
    with caplog.at_level(logging.WARNING):
        assert [archiver.try_task("Originals wait", fail) for _ in range(3)] == [0, 0, 0]
        assert caplog.messages == ["Originals wait: The disk is full."]
        assert archiver.try_task("Originals wait", lambda: 2) == 2
        archiver.try_task("Originals wait", fail)
    assert len(caplog.messages) == 2


def test_try_task_survives_an_unexpected_error(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def divide() -> int:
        return 1 // 0

    assert make_archiver(tmp_path).try_task("Originals wait", divide) == 0
    assert "ZeroDivisionError" in caplog.text


def test_storage_fails_until_an_original_is_archived(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archiver = make_archiver(tmp_path)
    monkeypatch.setattr(archiver, "archive", fail)
    with pytest.raises(StorageUnavailableError):
        archiver.archive_and_note_failure()
    for archived, is_failing in ((0, True), (1, False)):
        monkeypatch.setattr(archiver, "archive", lambda archived=archived: archived)
        assert archiver.archive_and_note_failure() == archived
        assert archiver.is_storage_failing is is_failing


@pytest.mark.parametrize(
    ("days", "interval_seconds"), [("0.000001", 0.5), ("0.001", 8.64), ("30", 60)]
)
def test_expiry_interval_follows_the_retention_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, days: str, interval_seconds: float
) -> None:
    now = 1000.0
    monkeypatch.setattr("time.monotonic", lambda: now)
    archiver = make_archiver(tmp_path, IMAGES_KEEP_DAYS=days)
    monkeypatch.setattr(archiver, "expire", lambda: 1)
    counts = [archiver._expire_if_due(), archiver._expire_if_due()]
    now += interval_seconds - 0.01
    counts.append(archiver._expire_if_due())
    now += 0.02
    counts.append(archiver._expire_if_due())
    assert counts == [1, 0, 0, 1]


def test_archive_without_segments_does_not_connect(tmp_path: Path) -> None:
    assert make_archiver(tmp_path).archive() == 0


def test_run_after_the_stop_archives_once_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archiver = make_archiver(tmp_path)
    calls: list[str] = []

    def archive() -> int:
        calls.append("archive")
        return 1

    def expire() -> int:
        raise psycopg2.OperationalError("not expected after the stop")

    monkeypatch.setattr(archiver, "expire", expire)
    monkeypatch.setattr(archiver, "archive", archive)
    stopping = threading.Event()
    stopping.set()
    archiver.run(stopping)
    assert calls == ["archive"]


def test_archiver_with_an_invalid_url_raises(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="IMAGES_URL"):
        make_archiver(tmp_path, IMAGES_URL="ftp://server/images")
