"""CSV reader: encodings, separators, line numbers, broken rows and unreadable files."""

import tracemalloc
from pathlib import Path

import pytest

from db.csv.reader import read_rows
from db.csv.reject_reasons import UnreadableFileError
from db.csv.row import Reject, Row
from tests.support.csv_text import HEADER, LOSS, read_entries, read_reject, read_row

TABS = f"{HEADER}\na,1,0,{LOSS}\n".replace(",", "\t").replace("\t 5\t 9", ",5,9")


@pytest.mark.parametrize(
    "content",
    [
        f"\ufeff{HEADER}\na,1,0,{LOSS}\n",
        f"{HEADER}\na,1,0,{LOSS}\n".replace("\n", "\r\n"),
        f"{HEADER}\na,1,0,{LOSS}",
        f"{HEADER}\n\n\na,1,0,{LOSS}\n\n",
        f"{HEADER.replace(',', ';')};Note\na;1;0;{LOSS};\n",
        TABS.replace("\t 0.4\t 0.5", ",0.4,0.5").replace("]\t ", "], "),
        f"{HEADER}\na,1,0,{LOSS}\n".encode("utf-16"),
        f'{HEADER}\na,1,0,"{{""Step"": [1, 5, 9],\n ""Value"": [2.3, 0.4, 0.5]}}"\n',
    ],
    ids=[
        "bom", "crlf", "no-last-newline", "blank-lines", "semicolons", "tabs",
        "utf-16", "quoted-newline",
    ],
)  # fmt: skip
def test_read_rows_accepts_usual_csv_dialects(tmp_path: Path, content: str | bytes) -> None:
    row = read_row(tmp_path, content)
    assert (row.name, row.learning_rate, row.momentum) == ("a", 1.0, 0.0)
    assert row.curves["loss"].steps == (1, 5, 9)


def test_read_rows_continues_after_rejects(tmp_path: Path) -> None:
    rows = f"a,x,0,{LOSS}\nb,1,0,{LOSS}\nc,1\nd,1,0,{LOSS}\n"
    found = read_entries(tmp_path, f"{HEADER}\n{rows}")
    assert [(entry.line, type(entry)) for entry in found] == [
        (2, Reject),
        (3, Row),
        (4, Reject),
        (5, Row),
    ]


def test_read_rows_counts_lines_in_quoted_cells(tmp_path: Path) -> None:
    first = 'a,1,0,"{""Step"": [1],\n\n""Value"": [1]}"'
    found = read_entries(tmp_path, f"{HEADER}\n{first}\nb,x,0,{LOSS}\n")
    assert [entry.line for entry in found] == [2, 5]


def test_read_rows_invalid_utf8_rejects_only_its_row(tmp_path: Path) -> None:
    content = f"{HEADER},Note\na,1,0,{LOSS},gut\nb,1,0,{LOSS},".encode() + b"M\xfcller\n"
    _, reject = read_entries(tmp_path, content)
    assert isinstance(reject, Reject)
    assert (reject.column, reject.raw) == ("Note", f"b,1,0,{LOSS},M\\xfcller")


def test_read_rows_nul_rejects_only_its_row(tmp_path: Path) -> None:
    first, second = read_entries(tmp_path, f"{HEADER}\na\0,1,0,{LOSS}\nb,1,0,{LOSS}\n")
    assert isinstance(first, Reject)
    assert "\0" not in first.raw
    assert isinstance(second, Row)


def test_read_rows_open_quote_stores_all_text(tmp_path: Path) -> None:
    reject = read_reject(tmp_path, f'{HEADER}\na,1,0,"{{""Step"": [1]\nb,1,0,{LOSS}\n')
    assert reject.raw.endswith(LOSS)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is empty"),
        ("\n", "is empty"),
        (b"\x00\x01\x02\x03", "is not a text file"),
        (b"\xff\xfe\x00\xd8\x00", "is not valid UTF-16"),
    ],
)
def test_read_rows_not_text_raises_error(
    tmp_path: Path, content: str | bytes, message: str
) -> None:
    with pytest.raises(UnreadableFileError, match=message):
        read_entries(tmp_path, content)


def test_read_rows_missing_file_raises_error(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFileError, match=r"data\.csv cannot be read: No such file"):
        list(read_rows(tmp_path / "data.csv"))


def test_read_rows_directory_raises_error(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFileError, match="is not a regular file"):
        list(read_rows(tmp_path))


def test_read_rows_of_100_mb_needs_little_memory(tmp_path: Path) -> None:
    path = tmp_path / "data.csv"
    note = "x" * 1_000_000
    with path.open("w") as file:
        file.write(f"{HEADER},Note\n")
        file.writelines(f"e{n},1,0,{LOSS},{note}\n" for n in range(100))
    tracemalloc.start()
    rows = sum(isinstance(entry, Row) for entry in read_rows(path))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert rows == 100
    assert peak < 20e6
