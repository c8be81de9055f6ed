"""The journal appends to segments and refuses records over its limit."""

import os
from pathlib import Path

import pytest

from inference.errors import JournalFullError
from inference.prediction_log import journal as journal_module
from inference.prediction_log.journal import Journal
from inference.prediction_log.segments import list_segments
from tests.support.prediction_log import read_lines


def append(journal: Journal, line: bytes) -> int:
    segment = journal.begin_record()
    journal.append(line)
    return segment


def fill(journal: Journal) -> None:
    with pytest.raises(JournalFullError):  # noqa: PT012  # the number of records is open
        for _ in range(30):
            append(journal, bytes(99) + b"\n")


def test_append_keeps_the_order(tmp_path: Path) -> None:
    journal = Journal(tmp_path, 2**20)
    for number in range(3):
        append(journal, b"%d\n" % number)
    assert read_lines(tmp_path) == [b"0\n", b"1\n", b"2\n"]


def test_segment_is_complete_after_close(tmp_path: Path) -> None:
    journal = Journal(tmp_path, 2**20)
    append(journal, b"1\n")
    [segment] = list_segments(tmp_path)
    assert not segment.is_complete()
    journal.close()
    assert segment.is_complete()


def test_full_segment_is_followed_by_the_next(tmp_path: Path) -> None:
    journal = Journal(tmp_path, 8 * 100)
    assert [append(journal, bytes(60) + b"\n") for _ in range(4)] == [1, 1, 2, 2]
    assert len(list_segments(tmp_path)) == 2


def test_old_segment_is_followed_by_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal(tmp_path, 2**20)
    assert append(journal, b"1\n") == 1
    monkeypatch.setattr(journal_module, "SEGMENT_SECONDS", 0.0)
    assert append(journal, b"2\n") == 2


def test_begin_record_at_the_limit_raises(tmp_path: Path) -> None:
    journal = Journal(tmp_path, 1000)
    fill(journal)
    assert journal.is_full
    assert journal.is_half_full
    journal.begin_record(is_limited=False)
    journal.append(b"a state\n")
    assert read_lines(tmp_path)[-1] == b"a state\n"


def test_limit_applies_to_all_processes_together(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_module, "MEASUREMENT_SECONDS", 0.0)
    first, second = Journal(tmp_path, 1000), Journal(tmp_path, 1000)
    for _ in range(6):
        append(first, bytes(99) + b"\n")
    fill(second)
    assert len(read_lines(tmp_path)) < 15


def test_failed_write_leaves_no_part_of_the_record(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal(tmp_path, 2**20)
    append(journal, b"1\n")
    write = os.write
    journal.begin_record()
    with monkeypatch.context() as patch:
        patch.setattr(os, "write", lambda file, data: write(file, data[:3]))
        with pytest.raises(JournalFullError, match="No space left"):
            journal.append(b"half\n")
    assert journal.failure is not None
    assert "JOURNAL_DIR" in journal.failure
    assert append(journal, b"2\n") == 2
    assert journal.failure is None
    assert read_lines(tmp_path) == [b"1\n", b"2\n"]


def test_file_in_place_of_the_directory_is_explained(tmp_path: Path) -> None:
    (tmp_path / "journal").write_text("")
    with pytest.raises(JournalFullError, match="cannot be written"):
        Journal(tmp_path / "journal", 2**20).begin_record()
