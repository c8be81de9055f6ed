"""Metric cells: fractions and percent, notations of spreadsheets, missing and invalid values."""

from collections.abc import Collection
from pathlib import Path

import pytest

from db.csv import reject_reasons
from db.csv.metric_cell import parse_metric, read_numeral
from db.csv.reject_reasons import InvalidCellError
from tests.support.csv_text import HEADER, LOSS, read_reject, read_row


def parse(cell: str, marks: Collection[str] = ()) -> float | None:
    return parse_metric(cell, marks, is_accuracy=False, is_in_percent=False)


@pytest.mark.parametrize(
    ("title", "cell", "fraction"),
    [
        ("Test Accuracy", "0.985", 0.985),
        ("Test Accuracy", "98.5%", 0.985),
        ("Test Accuracy", "98.5 %", 0.985),
        ("Test Accuracy", '"98,5 %"', 0.985),
        ("Test Accuracy", "98.5\u00a0%", 0.985),
        ("Test Accuracy", "98.5\uff05", 0.985),
        ("Test Accuracy", '"0,985"', 0.985),
        ("accuracy [%]", "98.5", 0.985),
        ("Accuracy (\uff05)", '"98,5"', 0.985),
        ("Accuracy (%)", "98.5%", 0.985),
        ("Top-5 accuracy", "1", 1.0),
        ("Accuracy", "0", 0.0),
        ("F1", "91 %", 0.91),
        ("F1 (%)", "91", 91.0),
        ("F1 (%)", "91 %", 91.0),
    ],
)
def test_percent_is_stored_as_fraction(
    tmp_path: Path, title: str, cell: str, fraction: float
) -> None:
    row = read_row(tmp_path, f"{HEADER},{title}\na,0.01,0.9,{LOSS},{cell}\n")
    [metric] = row.metrics.values()
    assert metric == pytest.approx(fraction)
    assert row.params == {}


@pytest.mark.parametrize("cell", ["98.5", "-0.1", "101%", "1.0001", '"98,5"'])
def test_accuracy_out_of_range_is_rejected(tmp_path: Path, cell: str) -> None:
    reject = read_reject(tmp_path, f"{HEADER},Test Accuracy\na,0.01,0.9,{LOSS},{cell}\n")
    assert (reject.column, "0.985" in reject.reason) == ("Test Accuracy", True)


def test_accuracy_in_percent_over_100_is_rejected(tmp_path: Path) -> None:
    reject = read_reject(tmp_path, f"{HEADER},Accuracy (%)\na,0.01,0.9,{LOSS},100.1\n")
    assert reject.reason == reject_reasons.ACCURACY_IS_OUT_OF_RANGE


@pytest.mark.parametrize(
    ("cell", "number"),
    [
        ("1e-3", 0.001),
        (".5", 0.5),
        (",5", 0.5),
        ("+0,985", 0.985),
        ("-12,3456", -12.3456),
        ("0,985", 0.985),
        ("1,5e3", 1500),
        ("1234,567", 1234.567),
        ("1,234.5", 1234.5),
        ("1.234,5", 1234.5),
        ("1,234,567", 1234567),
        ("1.234.567", 1234567),
        ("1.234.567,25", 1234567.25),
        ("1 234,5", 1234.5),
        ("1 234", 1234),
        ("1\u00a0234.5", 1234.5),
        ("1\u202f234\u202f567,5", 1234567.5),
        ("1\u2009234,567", 1234.567),
        ("1'234.5", 1234.5),
        ("1\u2019234", 1234),
        ("\uff10\uff0e\uff19\uff18\uff15", 0.985),
        ("\u22120.5", -0.5),
        ("1.234", 1.234),
    ],
)
def test_notations_of_spreadsheets_are_read(cell: str, number: float) -> None:
    assert parse(cell) == pytest.approx(number, rel=1e-15)


@pytest.mark.parametrize(
    "cell",
    [
        "nan",
        "NaN",
        "-nan",
        "#N/A",
        "#NV",
        "N/A",
        "n/a",
        "na",
        "NULL",
        "None",
        "-",
        "\u2013",
        "<NA>",
    ],
)
def test_mark_of_a_missing_value_is_no_metric(cell: str) -> None:
    assert parse(cell) is None


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        ("inf", reject_reasons.METRIC_IS_NOT_FINITE),
        ("-Infinity", reject_reasons.METRIC_IS_NOT_FINITE),
        ("\u221e", reject_reasons.METRIC_IS_NOT_FINITE),
        ("1e999", reject_reasons.METRIC_IS_NOT_FINITE),
        *(
            (text, reject_reasons.METRIC_IS_NOT_A_NUMBER)
            for text in (
                "#DIV/0!", "TRUE", "2024-01-31", "31.01.2024", "0.9 ms", "~0.9", "<0.01", "1_000",
                "0x1", "=A1", "1,2,3", "12,34,567", "1,23.4", "1.234,567,8", "1 23", "0.98\u00b2",
                "\u0660.\u0665", "0.9%%", "%", "$1", "1" * 401, "[0.9]",
            )
        ),
        ("1,234", reject_reasons.COMMA_IS_AMBIGUOUS),
        ("-12,345 %", reject_reasons.COMMA_IS_AMBIGUOUS),
    ],
)  # fmt: skip
def test_invalid_metric_is_rejected(cell: str, reason: str) -> None:
    with pytest.raises(InvalidCellError) as caught:
        parse(cell)
    assert str(caught.value) == reason


@pytest.mark.parametrize(
    ("cell", "marks", "number"),
    [
        ("1,234", ",", 1.234),
        ("1,234", ".", 1234),
        ("1,234", ".,", None),
        ("1.234", ".", 1.234),
        ("1.234", ".,", 1.234),
        ("1.234", ",", None),
        ("1.234,5", ",", 1234.5),
    ],
)
def test_ambiguous_number_is_read_like_its_column(
    cell: str, marks: str, number: float | None
) -> None:
    if number is None:
        with pytest.raises(InvalidCellError, match=r"may separate .*1\.234"):
            parse(cell, marks)
    else:
        assert parse(cell, marks) == number


@pytest.mark.parametrize(
    ("cell", "mark"),
    [("0.5", "."), ("0,5", ","), ("1,234.5", "."), ("1,234,567", "."), ("1 234", ""), ("5", "")],
)
def test_numeral_has_its_decimal_mark(cell: str, mark: str) -> None:
    numeral = read_numeral(cell)
    assert numeral is not None
    assert (numeral.decimal_mark, numeral.is_ambiguous) == (mark, False)
