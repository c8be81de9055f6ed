"""The log's status tells apart a log that is off, works, waits, is full and fails."""

import os
import time
from pathlib import Path

import pytest

from inference.errors import JournalFullError
from inference.prediction_log.journal import Journal
from inference.prediction_log.log_status import LogStatus
from inference.prediction_log.segments import list_segments
from inference.prediction_log.shipped_offsets import ROWS, ShippedOffsets


def append(journal: Journal, age_seconds: float = 0.0) -> None:
    journal.begin_record()
    journal.append(b'{"at":%d}\n' % int((time.time() - age_seconds) * 1e6))


def test_status_without_a_journal_is_off() -> None:
    assert LogStatus(None, 60).document() == {"status": "off"}


def test_status_of_an_empty_journal_is_ok(tmp_path: Path) -> None:
    document = LogStatus(Journal(tmp_path / "x", 1000), 60).document()
    assert document == {"status": "ok", "waiting_bytes": 0, "waiting_seconds": 0}


def test_status_at_the_limit_is_full(tmp_path: Path) -> None:
    journal = Journal(tmp_path, 10)
    append(journal)
    assert LogStatus(journal, 60).document()["status"] == "full"


def test_status_of_an_old_record_is_waiting_until_shipped(tmp_path: Path) -> None:
    journal = Journal(tmp_path, 10_000)
    status = LogStatus(journal, 60)
    append(journal, age_seconds=50)
    assert status.document()["status"] == "ok"
    append(journal, age_seconds=70)
    append(journal)
    assert status.document()["status"] == "ok"  # the first record is the oldest by its position
    [segment] = list_segments(tmp_path)
    offsets = ShippedOffsets(tmp_path)
    offsets.put(ROWS, segment, len(segment.lines(0, 1)[0]))
    document = status.document()
    assert (document["status"], round(document["waiting_seconds"])) == ("waiting", 70)
    assert "70 s" in document["detail"]
    offsets.put(ROWS, segment, segment.size)
    assert status.document()["status"] == "ok"


def test_status_waits_although_the_clock_is_set_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal, now = Journal(tmp_path, 10_000), time.monotonic()
    status = LogStatus(journal, 60)
    append(journal, age_seconds=-86_400)
    assert status.document()["status"] == "ok"
    monkeypatch.setattr(time, "monotonic", lambda: now + 70)
    assert status.document()["status"] == "waiting"


def test_status_of_an_unwritable_journal_is_failing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    journal = Journal(tmp_path / "file", 2**20)
    with pytest.raises(JournalFullError):
        append(journal)
    document = LogStatus(journal, 60).document()
    assert (document["status"], "JOURNAL_DIR" in document["detail"]) == ("failing", True)


def test_status_of_an_unreadable_journal_is_failing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal(tmp_path, 2**20)
    append(journal)

    def deny(_path: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(os, "scandir", deny)  # root may read every directory
    document = LogStatus(journal, 60).document()
    assert (document["status"], "Permission denied" in document["detail"]) == ("failing", True)
