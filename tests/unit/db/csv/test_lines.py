"""CSV lines: a line over the limit, and the text of the current row."""

import io
from pathlib import Path

import pytest

from db.csv import lines as csv_lines
from db.csv.lines import LineRecorder
from db.csv.row import Reject
from tests.support.csv_text import HEADER, LOSS, read_entries


def record(text: str) -> LineRecorder:
    return LineRecorder(io.TextIOWrapper(io.BytesIO(text.encode()), newline=""))


def test_take_row_returns_lines_since_start_row() -> None:
    lines = record("a\nb\nc\n")
    next(lines)
    lines.start_row()
    next(lines)
    next(lines)
    assert (lines.take_row(), lines.take_row(), lines.count) == ("b\nc", "", 3)


def test_take_row_escapes_nul() -> None:
    lines = record("a\0b\n")
    next(lines)
    assert lines.take_row() == "a\\x00b"


def test_line_over_limit_rejects_row_with_its_beginning(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csv_lines, "MAX_LINE_CHARACTERS", 1000)
    monkeypatch.setattr(csv_lines, "MAX_STORED_CHARACTERS", 100)
    reject, row = read_entries(tmp_path, f"{HEADER}\n{'x' * 5000}\nb,1,0,{LOSS}\n")
    assert isinstance(reject, Reject)
    assert (reject.line, reject.raw, row.line) == (2, "x" * 100, 3)
    assert "more than 1,000 characters" in reject.reason
