"""The journal appends to segments, restores lost ones, and refuses records over its limit."""

import errno
import os
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from inference.errors import JournalFullError
from inference.prediction_log import journal as journal_module
from inference.prediction_log.journal import Journal
from inference.prediction_log.segments import delete_segment, list_segments
from inference.prediction_log.shipped_offsets import ROWS, ShippedOffsets
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
    contents = [segment.path.read_bytes() for segment in list_segments(tmp_path)]
    assert contents == [b"1\n", b"2\n"]


def test_file_in_place_of_the_directory_is_explained(tmp_path: Path) -> None:
    (tmp_path / "journal").write_text("")
    with pytest.raises(JournalFullError, match="cannot be written"):
        Journal(tmp_path / "journal", 2**20).begin_record()


def record(number: int) -> bytes:
    return b'{"at":%d,"text":"%s"}\n' % (number, b"x" * 20)


def unlink(path: Path) -> None:
    path.unlink()


def move(path: Path) -> None:
    path.rename(path.parent.parent / "elsewhere")


def remove_directory(path: Path) -> None:
    shutil.rmtree(path.parent)


def move_directory(path: Path) -> None:
    path.parent.rename(path.parent.parent / "elsewhere")


def replace(path: Path) -> None:
    path.unlink()
    path.write_bytes(b"other\n")


@pytest.mark.parametrize("fault", [unlink, move, remove_directory, move_directory, replace])
@pytest.mark.parametrize("is_full", [False, True])
def test_check_restores_a_lost_file(
    tmp_path: Path,
    caplog: pytest.LogCaptureFixture,
    fault: Callable[[Path], None],
    *,
    is_full: bool,
) -> None:
    directory = tmp_path / "journal"
    journal = Journal(directory, 8 * (30 if is_full else 10_000))
    append(journal, record(1))
    fault(list_segments(directory)[0].path)
    append(journal, record(2))
    journal.check()
    append(journal, record(3))
    journal.close()
    lines = [line for line in read_lines(directory) if line != b"other\n"]
    assert set(lines) == {record(1), record(2), record(3)}
    assert "Another program removed or replaced" in caplog.text


def test_check_keeps_the_name_of_a_removed_file(tmp_path: Path) -> None:
    """The shipped offsets of a segment remain valid."""
    journal = Journal(tmp_path, 2**20)
    append(journal, record(1))
    [segment] = list_segments(tmp_path)
    segment.path.unlink()
    journal.check()
    assert list_segments(tmp_path) == [segment]
    assert not segment.is_complete()
    assert append(journal, record(2)) == 1


@pytest.mark.parametrize(
    ("size", "appended", "kept", "lost"),
    [
        (0, b"", [3], 2),
        (len(record(1)) + 5, b"", [1, 3], 1),
        (2 * len(record(1)), b"text\nand more", [1, 2, 3], 0),
        (10_000, b"", [1, 2, 3], 0),
    ],
)
def test_check_copies_what_a_change_left_and_counts_the_rest(
    tmp_path: Path, size: int, appended: bytes, kept: list[int], lost: int
) -> None:
    counts: list[int] = []
    journal = Journal(tmp_path, 2**20, counts.append)
    append(journal, record(1))
    append(journal, record(2))
    [segment] = list_segments(tmp_path)
    os.truncate(segment.path, size)
    with segment.path.open("ab") as file:
        file.write(appended)
    append(journal, record(3))
    journal.check()
    assert append(journal, record(4)) == 2
    assert read_lines(tmp_path) == [record(number) for number in (*kept, 4)]
    assert counts == [lost]


def test_change_of_shipped_records_loses_nothing(tmp_path: Path) -> None:
    counts: list[int] = []
    journal = Journal(tmp_path, 2**20, counts.append)
    append(journal, record(1))
    append(journal, record(2))
    [segment] = list_segments(tmp_path)
    ShippedOffsets(tmp_path).put(ROWS, segment, len(record(1)))
    os.truncate(segment.path, 0)
    journal.check()
    assert counts == [1]


def test_journal_refuses_until_a_lost_file_is_restored(tmp_path: Path) -> None:
    directory = tmp_path / "journal"
    journal = Journal(directory, 2**20)
    append(journal, record(1))
    shutil.rmtree(directory)
    directory.write_text("not a directory")
    journal.check()
    assert journal.failure is not None
    with pytest.raises(JournalFullError, match="cannot be written"):
        journal.begin_record()
    directory.unlink()
    append(journal, record(2))
    assert journal.failure is None
    assert read_lines(directory) == [record(1), record(2)]


def test_check_reports_a_directory_without_access(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    journal = Journal(tmp_path, 2**20)
    append(journal, record(1))
    with monkeypatch.context() as patch:
        patch.setattr(Path, "stat", deny)  # root has access to every directory
        journal.check()
    assert "Permission denied" in (journal.failure or "")
    append(journal, record(2))
    journal.check()
    assert journal.failure is None
    assert read_lines(tmp_path) == [record(1), record(2)]


def test_check_between_begin_and_append_changes_nothing(tmp_path: Path) -> None:
    """The record refers to the descriptions of the segment that begin_record returned."""
    journal = Journal(tmp_path, 2**20)
    append(journal, record(1))
    [segment] = list_segments(tmp_path)
    journal.begin_record()
    segment.path.unlink()
    journal.check()
    assert list_segments(tmp_path) == []
    journal.append(record(2))
    journal.check()
    assert read_lines(tmp_path) == [record(1), record(2)]


def test_watch_notices_a_lost_file_within_a_second(tmp_path: Path) -> None:
    journal = Journal(tmp_path, 2**20)
    journal.watch()
    append(journal, record(1))
    [segment] = list_segments(tmp_path)
    segment.path.unlink()
    deadline = time.monotonic() + 1.0
    while not segment.path.exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    journal.close()
    assert read_lines(tmp_path) == [record(1)]


def test_check_restores_a_full_segment(tmp_path: Path) -> None:
    """Until the rescuer has opened it, too."""
    journal = Journal(tmp_path, 8 * 30)
    append(journal, record(1))
    append(journal, record(2))
    list_segments(tmp_path)[0].path.unlink()
    journal.check()
    assert read_lines(tmp_path) == [record(1), record(2)]
    assert list_segments(tmp_path)[0].is_complete()


def test_full_segments_are_closed_after_a_while(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(journal_module, "RETIREMENT_SECONDS", 0.0)
    journal = Journal(tmp_path, 8 * 30)
    before = count_open_files()
    for number in range(4):
        append(journal, record(number))
    journal.check()
    assert count_open_files() == before + 1


def count_open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_replaced_full_segment_is_copied_once(tmp_path: Path) -> None:
    journal = Journal(tmp_path, 8 * 30)
    append(journal, record(1))
    append(journal, record(2))
    replace(list_segments(tmp_path)[0].path)
    for _ in range(3):
        journal.check()
    lines = read_lines(tmp_path)
    assert (lines.count(record(1)), lines.count(record(2))) == (1, 1)


def test_shipped_full_segment_is_not_restored(tmp_path: Path) -> None:
    journal = Journal(tmp_path, 8 * 30)
    append(journal, record(1))
    append(journal, record(2))
    delete_segment(list_segments(tmp_path)[0].path)
    journal.check()
    assert read_lines(tmp_path) == [record(2)]


def deny(*_: object, **__: object) -> None:
    raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))
