"""What `make check-data` says of a file, and what the import makes of very large ones."""

import tracemalloc
from pathlib import Path

import pytest

from db import csv_reader, validate
from db.csv_reader import Reject, Row, read

HEADER = "Experiment Name,Learning Rate,Momentum,Loss,Batch Size,Test Accuracy"
LOSS = '"{""Step"": [1, 5], ""Value"": [2.3, 0.4]}"'


def check(tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str) -> tuple[int, str]:
    path = tmp_path / "more.csv"
    path.write_text(content)
    return validate.main([str(path)]), capsys.readouterr().out


def test_a_clean_file_is_told_by_its_rows_and_columns(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, output = check(tmp_path, capsys, f"{HEADER}\na,1,0,{LOSS},64,0.9\nb,1,0,{LOSS},64,\n")
    assert code == 0
    for expected in (
        "2 rows, 0 of them rejected",
        "params   batch_size\n",
        "metrics  test_accuracy (in 1 rows)",
        "curves   loss",
    ):
        assert expected in output


def test_a_reject_is_told_with_line_column_and_reason(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, output = check(tmp_path, capsys, f"{HEADER}\na,1,0,{LOSS},64,0.9\nb,fast,0,{LOSS},64,1\n")
    assert (code, "line 3, Learning Rate: is no number; write it like 0.01" in output) == (1, True)


def test_the_first_hundred_rejects_are_shown_and_the_others_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, output = check(tmp_path, capsys, f"{HEADER}\n" + "a,b\n" * 250)
    assert (code, output.count("has 2 cells"), "... and 150 more rejected rows" in output) == (
        1,
        100,
        True,
    )


@pytest.mark.parametrize("content", ["", "Name\n"])
def test_an_unusable_file_is_told_with_the_reason(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str
) -> None:
    code, output = check(tmp_path, capsys, content)
    assert (code, "cannot be imported" in output) == (1, True)


def test_without_a_file_all_that_a_set_up_imports_is_checked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data.d").mkdir()
    for name in ("data.csv", "data.d/more.csv"):
        Path(name).write_text(f"{HEADER}\na,1,0,{LOSS},64,0.9\n")
    assert validate.main([]) == 1
    assert "is already in data.csv, line 2" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("file", "is_clash"),
    [("data.csv", False), ("data.d/b.csv", True), ("data.d/a.csv", False), ("new.csv", True)],
)
def test_a_file_is_checked_for_names_that_the_files_before_it_give(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    file: str,
    *,
    is_clash: bool,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data.d").mkdir()
    for name, experiment in (
        ("data.csv", "x"),
        ("data.d/a.csv", "a"),
        ("data.d/b.csv", "a"),
        ("new.csv", "x"),
    ):
        Path(name).write_text(f"{HEADER}\n{experiment},1,0,{LOSS},64,0.9\n")
    assert validate.main([file]) == int(is_clash)
    output = capsys.readouterr().out
    assert (output.startswith(file), "is already in data." in output) == (True, is_clash)


def test_a_hundred_megabytes_are_read_with_little_memory(tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    note = "x" * 1_000_000
    with path.open("w") as file:
        file.write(f"{HEADER}\n")
        file.writelines(f"e{n},1,0,{LOSS},{note},1\n" for n in range(100))
    tracemalloc.start()
    rows = sum(isinstance(entry, Row) for entry in read(path))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert rows == 100
    assert peak < 20e6


def test_an_endless_line_is_a_reject_of_its_beginning_and_the_next_row_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(csv_reader, "MAX_LINE_CHARACTERS", 1000)
    monkeypatch.setattr(csv_reader, "MAX_KEPT_CHARACTERS", 100)
    path = tmp_path / "data.csv"
    path.write_text(f"{HEADER}\n{'x' * 5000}\nb,1,0,{LOSS},64,0.9\n")
    reject, row = read(path)
    assert isinstance(reject, Reject)
    assert (reject.line, reject.raw, row.line) == (2, "x" * 100, 3)
    assert "more than 1,000 characters" in reject.reason
