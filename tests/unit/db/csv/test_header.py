"""CSV headers: lines above them, separators, and messages about files without one."""

from pathlib import Path

import pytest

from db.csv import header as header_module
from db.csv.reject_reasons import ROW_IS_ABOVE_HEADER, UnreadableFileError
from db.csv.row import Reject, Row
from tests.support.csv_text import HEADER, LOSS, read_entries, read_row

ROW = f"a,1,0,{LOSS}"
JSON = '{"Step": [1, 5, 9], "Value": [2.3, 0.4, 0.5]}'


def separated(delimiter: str, header: str = HEADER) -> str:
    titles = header.replace(",", delimiter)
    return f"{titles}\n" + delimiter.join(["a", "1", "0", LOSS]) + "\n"


@pytest.mark.parametrize(
    ("first", "line"),
    [
        ("\n\n", 4),
        ("\r\n \t\r\n", 4),
        (",,,\n;;;\n", 4),
        ("# exported 2024-01-01 by wandb\n", 3),
        ("# run, with, commas\n#\n// another; comment\n\n", 6),
        ("Experiments of May\n", 3),
        ("Experiments of May,,,\n,,,\n", 4),
        ("sep=,\n", 3),
        ("SEP=,\r\n\r\n", 4),
        ('"sep=,"\n', 3),
        ("sep=,,,,\n", 3),
        ("sep=;\n", 3),
        ("# comment\nsep=,\n# comment\n", 5),
    ],
)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_lines_above_the_header_are_skipped(
    tmp_path: Path, first: str, line: int, encoding: str
) -> None:
    row = read_row(tmp_path, f"{first}{HEADER}\n{ROW}\n".encode(encoding))
    assert (row.line, row.name, row.curves["loss"].steps) == (line, "a", (1, 5, 9))


@pytest.mark.parametrize("delimiter", [",", ";", "\t", "|"])
@pytest.mark.parametrize("first", ["", "sep={}\n", '"sep={}"\n'])
def test_separators_are_found(tmp_path: Path, delimiter: str, first: str) -> None:
    assert read_row(tmp_path, first.format(delimiter) + separated(delimiter)).name == "a"


@pytest.mark.parametrize("delimiter", ["^", ":", "~", " "])
def test_excel_line_sets_other_separators(tmp_path: Path, delimiter: str) -> None:
    header = HEADER.replace(" ", "_")
    assert read_row(tmp_path, f"sep={delimiter}\n{separated(delimiter, header)}").name == "a"


@pytest.mark.parametrize(
    "header", [f"# {HEADER}\n", f"# Loss,Momentum,Learning Rate,Experiment Name\n{HEADER}\n"]
)
def test_comment_is_a_header_if_no_other_line_is(tmp_path: Path, header: str) -> None:
    assert read_row(tmp_path, f"{header}{ROW}\n").name == "a"


def test_unquoted_json_between_pipes_is_read(tmp_path: Path) -> None:
    content = f"{HEADER.replace(',', '|')}\na|1|0|{JSON}\n"
    assert read_row(tmp_path, content).curves["loss"].steps == (1, 5, 9)


@pytest.mark.parametrize(
    "title", ['"a,b,c,d,e,f,g"', "a,b,c,d,e,f,g", '"x\ty\tz|1|2|3|4|5"', '"two\nlines, or more"']
)
def test_delimiter_in_a_title_does_not_decide(tmp_path: Path, title: str) -> None:
    content = f"{HEADER.replace(',', ';')};{title}\na;1;0;{LOSS};x\n"
    row = read_row(tmp_path, content)
    assert (row.line, list(row.params.values())) == (content.count("\n", 0, -1) + 1, ["x"])


@pytest.mark.parametrize("end", ["", ","])
def test_row_above_the_header_is_rejected(tmp_path: Path, end: str) -> None:
    lines = ("", ROW, "# a,1,0,x", HEADER, f"b,1,0,{LOSS}")
    reject, row = read_entries(tmp_path, "".join(f"{line}{end}\n" for line in lines))
    assert reject == Reject(2, None, ROW_IS_ABOVE_HEADER, ROW + end)
    assert isinstance(row, Row)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("sep=;\nname;rate\n", "Loss: its first line is 'sep=;'. Add to its header: Exp"),
        ("sep=;\n", "its first line is 'sep=;'."),
        ("\n\n# made by hand\na,b\n", "its line 3 is '# made by hand'."),
        ("name,lr\n" * 500, "its first line is 'name,lr'."),
        ("# c\nExperiment Name;Loss\n", "Rate, Momentum: its line 2 is 'Experiment Name;Loss'."),
        ("Loss,Momentum\nMomentum,Loss\n", "Rate: its first line is 'Loss,Momentum'."),
        ("x" * 200, f"its first line is '{'x' * 60}...'."),
        ("a\x1b[31m\u202eb\udcff", r"its first line is 'a\x1b[31m\u202eb\udcff'."),
    ],
)
def test_message_shows_the_first_line(tmp_path: Path, content: str, message: str) -> None:
    with pytest.raises(UnreadableFileError) as caught:
        read_entries(tmp_path, content.encode(errors="surrogateescape"))
    assert message in str(caught.value)


def test_header_after_too_many_lines_is_not_found(tmp_path: Path) -> None:
    comments = "# comment\n" * header_module.MAX_FIRST_LINES
    with pytest.raises(UnreadableFileError, match="its first line is '# comment'"):
        read_entries(tmp_path, f"{comments}{HEADER}\n{ROW}\n")


def test_header_after_too_many_characters_is_not_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(header_module, "MAX_FIRST_CHARACTERS", 100)
    comments = f"# {'x' * 60}\n" * 2
    with pytest.raises(UnreadableFileError, match="its first line is '# xxx"):
        read_entries(tmp_path, f"{comments}{HEADER}\n{ROW}\n")


def test_long_row_after_the_header_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(header_module, "MAX_FIRST_CHARACTERS", len(HEADER) + 20)
    assert read_row(tmp_path, f"{HEADER}\n{ROW}\n").line == 2
