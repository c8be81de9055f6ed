"""Metric columns: the whole column, in all files, decides what its cells are."""

from pathlib import Path

import pytest

from db.csv.files import CsvFile
from db.csv.metric_columns import find_metric_columns
from db.csv.reader import read_rows
from db.csv.row import Reject, Row
from tests.support.csv_text import HEADER, LOSS, read_entries


def column(title: str, *cells: str) -> str:
    rows = "".join(f'e{number},1,0,{LOSS},"{cell}"\n' for number, cell in enumerate(cells))
    return f"{HEADER},{title}\n{rows}"


def test_column_with_a_number_has_no_parameters(tmp_path: Path) -> None:
    cells = ("nan", "0.9", "inf", "98,5 %", "high", "1,234.5", "", "#DIV/0!")
    entries = read_entries(tmp_path, column("Test Accuracy", *cells))
    rows = [entry for entry in entries if isinstance(entry, Row)]
    rejects = [entry for entry in entries if isinstance(entry, Reject)]
    assert [row.metrics for row in rows] == [
        {}, {"test_accuracy": 0.9}, {"test_accuracy": 0.985}, {}
    ]  # fmt: skip
    assert all(row.params == {} for row in rows)
    assert [(reject.line, reject.column) for reject in rejects] == [
        (number, "Test Accuracy") for number in (4, 6, 7, 9)
    ]


@pytest.mark.parametrize(
    ("title", "cells"), [("Loss Function", ("mse", "mae")), ("Optimizer", ("adam", "1", "sgd"))]
)
def test_column_of_texts_has_parameters(tmp_path: Path, title: str, cells: tuple[str, ...]) -> None:
    entries = read_entries(tmp_path, column(title, *cells))
    assert all(isinstance(entry, Row) and entry.params and not entry.metrics for entry in entries)


def test_column_of_missing_values_is_not_a_parameter(tmp_path: Path) -> None:
    entries = read_entries(tmp_path, column("F1", "nan", "n/a", "-"))
    assert all(isinstance(entry, Row) and not entry.params for entry in entries)


@pytest.mark.parametrize(
    ("cells", "numbers"),
    [
        (("1,234", "0,985"), [1.234, 0.985]),
        (("1,234", "0.985"), [1234, 0.985]),
        (("1,234", "12"), [None, 12]),
        (("1,234", "0.985", "0,985"), [None, 0.985, 0.985]),
        (("1.234", "0,985"), [None, 0.985]),
        (("0.1", "1.234"), [0.1, 1.234]),
    ],
)
def test_column_decides_about_an_ambiguous_comma(
    tmp_path: Path, cells: tuple[str, ...], numbers: list[float | None]
) -> None:
    entries = read_entries(tmp_path, column("Test Loss", *cells))
    assert [
        entry.metrics.get("test_loss") if isinstance(entry, Row) else None for entry in entries
    ] == numbers


def test_number_in_one_file_decides_for_all(tmp_path: Path) -> None:
    first, second, missing = (CsvFile(tmp_path / f"{n}.csv", f"{n}.csv") for n in "abc")
    first.path.write_text(column("F1", "0,9"))
    second.path.write_text(column("f1 (macro),F1", 'x","high'))
    metrics = find_metric_columns([first, second, missing])
    assert metrics == {first: {"f1": {","}}, second: {"f1": ()}, missing: {"f1": ()}}
    [reject] = read_rows(second.path, second.name, {}, metrics[second])
    assert isinstance(reject, Reject)
    assert reject.column == "F1"


def test_invalid_rows_do_not_decide(tmp_path: Path) -> None:
    content = column("Score", "good") + f"x,1,0,{LOSS},1,2\n" + "x" * 100
    path = tmp_path / "data.csv"
    path.write_text(content)
    assert find_metric_columns([CsvFile(path, "data.csv")]) == {CsvFile(path, "data.csv"): {}}
