"""The rescuer restores complete segments that another program removes."""

import logging
import os
from pathlib import Path

import pytest

from inference.prediction_log.journal import Journal
from inference.prediction_log.rescuer import SegmentRescuer
from inference.prediction_log.segments import Segment, create_segment, list_segments
from tests.support.prediction_log import read_lines

LINES = b'{"at":1}\n{"at":2}\n'


@pytest.fixture
def segment(tmp_path: Path) -> Segment:
    path = tmp_path / "journal" / "a.000001.jsonl"
    os.close(create_segment(path, LINES))
    return Segment(path)


def checked(segment: Segment) -> SegmentRescuer:
    rescuer = SegmentRescuer(segment.path.parent)
    rescuer.check()
    return rescuer


def test_removed_segment_is_restored(segment: Segment, caplog: pytest.LogCaptureFixture) -> None:
    rescuer = checked(segment)
    segment.path.unlink()
    segment.path.parent.rmdir()
    rescuer.check()
    assert segment.path.read_bytes() == LINES
    assert segment.is_complete()
    assert "removed or replaced" in caplog.text
    segment.path.unlink()  # again
    rescuer.check()
    assert segment.path.read_bytes() == LINES


def test_replaced_segment_gets_another_name(segment: Segment) -> None:
    rescuer = checked(segment)
    segment.path.unlink()
    segment.path.write_bytes(b"other\n")
    rescuer.check()
    [first, second] = sorted(item.path.read_bytes() for item in list_segments(segment.path.parent))
    assert (first, second) == (b"other\n", LINES)


def test_replaced_segment_is_copied_once_by_two_processes(segment: Segment) -> None:
    rescuers = checked(segment), checked(segment)
    segment.path.unlink()
    segment.path.write_bytes(b"other\n")
    for rescuer in rescuers:
        rescuer.check()
    assert len(list_segments(segment.path.parent)) == 2


def test_removal_of_a_shipped_segment_is_final(segment: Segment) -> None:
    rescuer = checked(segment)
    assert rescuer.remove(segment, len(LINES))
    rescuer.check()
    assert list_segments(segment.path.parent) == []


def test_remove_keeps_a_segment_that_was_just_replaced(segment: Segment) -> None:
    rescuer = checked(segment)
    segment.path.unlink()
    segment.path.write_bytes(b"other\n")
    assert not rescuer.remove(segment, 6)
    assert segment.path.read_bytes() == b"other\n"


def test_segment_of_a_running_writer_is_left_to_it(tmp_path: Path) -> None:
    journal, rescuer = Journal(tmp_path, 2**20), SegmentRescuer(tmp_path)
    journal.begin_record()
    journal.append(LINES)
    rescuer.check()
    [segment] = list_segments(tmp_path)
    segment.path.unlink()
    rescuer.check()
    assert list_segments(tmp_path) == []
    journal.check()
    rescuer.check()
    journal.append(b'{"at":3}\n')
    rescuer.check()
    assert read_lines(tmp_path) == [b'{"at":1}\n', b'{"at":2}\n', b'{"at":3}\n']


def test_segment_of_a_killed_writer_is_restored(tmp_path: Path) -> None:
    file = create_segment(tmp_path / "a.000001.jsonl", LINES)
    rescuer = SegmentRescuer(tmp_path)
    rescuer.check()
    (tmp_path / "a.000001.jsonl").unlink()
    os.close(file)  # as the end of the process does
    rescuer.check()
    assert read_lines(tmp_path) == [b'{"at":1}\n', b'{"at":2}\n']


def test_cut_segment_is_logged(segment: Segment, caplog: pytest.LogCaptureFixture) -> None:
    rescuer = checked(segment)
    rescuer.check()
    os.truncate(segment.path, 9)
    with caplog.at_level(logging.ERROR):
        rescuer.check()
    assert "from 18 to 9 bytes" in caplog.text


def test_failed_restoration_is_repeated(segment: Segment) -> None:
    rescuer, directory = checked(segment), segment.path.parent
    segment.path.unlink()
    directory.rmdir()
    directory.write_text("")
    with pytest.raises(OSError, match="journal"):
        rescuer.check()
    directory.unlink()
    rescuer.check()
    assert segment.path.read_bytes() == LINES
