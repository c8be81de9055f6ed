"""Spool files: locked, complete lines only, and nothing of a full disk."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from ml_ops_starter_client.records import Change, Entries, NumberedRecord, Point
from ml_ops_starter_client.spool import FileInUseError, Header, SpoolFile, find_files

HEADER = Header("http://localhost:9090", {"run_id": "a" * 32, "name": "run"})
RECORDS = [
    NumberedRecord(
        1, Entries([Point("loss", 0, 0.5, 7), Point("loss", 1, float("inf"), 8)], {"lr": 1})
    ),
    NumberedRecord(2, Change({"tags": {"a": None}})),
]


def test_file_returns_what_it_was_given(tmp_path: Path) -> None:
    path = tmp_path / "spool" / "run.jsonl"
    file = SpoolFile(path, HEADER)
    file.append(RECORDS)
    file.append([NumberedRecord(3, Change({"note": "x"}))])
    file.close()
    again = SpoolFile(path)
    assert again.header == HEADER
    stored = list(again.records(again.start))
    assert [record for record, _ in stored] == [*RECORDS, NumberedRecord(3, Change({"note": "x"}))]
    assert [record.number for record, _ in again.records(stored[0].end)] == [2, 3]
    again.remove()
    assert find_files(path.parent) == []


def test_file_that_ends_within_a_line_returns_the_lines_before(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    with_all = SpoolFile(path, HEADER)
    with_all.append(RECORDS)
    with_all.close()
    path.write_bytes(path.read_bytes()[:-5])
    file = SpoolFile(path)
    assert [record.number for record, _ in file.records(file.start)] == [1]
    file.close()


def test_damaged_line_is_left_out(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    file = SpoolFile(path, HEADER)
    file.append(RECORDS)
    file.close()
    header, first, second = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(header + b"\0\0{\n" + first + b"[1]\n" + second)
    again = SpoolFile(path)
    assert [record for record, _ in again.records(again.start)] == RECORDS
    again.close()


def test_file_of_another_process_is_in_use(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    file = SpoolFile(path, HEADER)
    program = (
        "import sys, pathlib\n"
        "from ml_ops_starter_client.spool import SpoolFile\n"
        "SpoolFile(pathlib.Path(sys.argv[1]))\n"
    )
    command = [sys.executable, "-c", program, str(path)]
    environment = {**os.environ, "PYTHONPATH": "client"}
    result = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert "FileInUseError" in result.stderr
    with pytest.raises(FileInUseError):
        SpoolFile(path)
    file.close()
    SpoolFile(path).close()


@pytest.mark.parametrize("content", ["", "[]\n", '{"url": 1}\n', "no JSON\n"])
def test_file_of_another_program_is_refused(tmp_path: Path, content: str) -> None:
    path = tmp_path / "other.jsonl"
    path.write_text(content)
    with pytest.raises(ValueError, match="not a spool file"):
        SpoolFile(path)


def test_append_to_a_full_disk_leaves_no_part(tmp_path: Path) -> None:
    path = tmp_path / "run.jsonl"
    file = SpoolFile(path, HEADER)
    size = path.stat().st_size

    def records() -> object:
        yield RECORDS[0]
        raise OSError(28, "No space left on device")

    with pytest.raises(OSError, match="No space left"):
        file.append(records())  # type: ignore[arg-type]
    assert path.stat().st_size == size
    file.append(RECORDS)
    assert len(list(file.records(file.start))) == 2
    file.close()
