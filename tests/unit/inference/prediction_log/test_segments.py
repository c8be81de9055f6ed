"""Segments are read line by line, also while they grow or after their removal."""

import fcntl
from pathlib import Path

from inference.prediction_log.segments import Segment, list_segments, total_bytes


def test_lines_end_with_the_line_that_reaches_the_end(tmp_path: Path) -> None:
    segment = Segment(tmp_path / "a.000001.jsonl")
    segment.path.write_bytes(b"12\n345\n6\n789")
    assert segment.lines(0, 3) == [b"12\n"]
    assert segment.lines(0, 4) == [b"12\n", b"345\n"]
    assert segment.lines(3, 7) == [b"345\n"]
    assert segment.lines(0, 100) == [b"12\n", b"345\n", b"6\n"]


def test_segment_is_complete_without_its_writers_lock(tmp_path: Path) -> None:
    segment = Segment(tmp_path / "a.000001.jsonl")
    with segment.path.open("wb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        assert not segment.is_complete()
    assert segment.is_complete()


def test_removed_segment_is_empty(tmp_path: Path) -> None:
    segment = Segment(tmp_path / "a.000001.jsonl")
    assert (segment.size, segment.lines(0, 10), segment.record_at(0)) == (0, [], None)


def test_record_at_returns_the_time_of_a_record(tmp_path: Path) -> None:
    segment = Segment(tmp_path / "a.000001.jsonl")
    segment.path.write_bytes(b'{"at":12,"x":1}\n{"at":13}\nnonsense\n')
    assert [segment.record_at(offset) for offset in (0, 16, 26)] == [12, 13, None]


def test_list_segments_is_sorted_and_ignores_other_files(tmp_path: Path) -> None:
    for name in ("b.000001.jsonl", "a.000002.jsonl", "a.000003.new", "shipped.json"):
        (tmp_path / name).write_bytes(b"123\n")
    assert [segment.name for segment in list_segments(tmp_path)] == [
        "a.000002.jsonl",
        "b.000001.jsonl",
    ]
    assert total_bytes(tmp_path) == 8


def test_list_segments_of_a_missing_directory_is_empty(tmp_path: Path) -> None:
    assert list_segments(tmp_path / "missing") == []
