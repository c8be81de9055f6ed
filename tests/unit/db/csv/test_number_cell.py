"""Number cells: decimal notation, and the notation of parameters."""

from pathlib import Path

import pytest

from db.csv.number_cell import parse_number, parse_parameter, parse_rate
from db.csv.reject_reasons import InvalidCellError
from tests.support.csv_text import HEADER, LOSS, read_row


@pytest.mark.parametrize("cell", ["", "nan", "inf", "1_000", "0x1", "1e999", "1" * 401, "\uff11"])
def test_parse_number_accepts_decimal_notation_only(cell: str) -> None:
    assert parse_number(cell) is None


@pytest.mark.parametrize(
    ("cell", "value"),
    [
        ("0012345", "0012345"),
        ("12345e67", "12345e67"),
        ("12345678901234567890", 12345678901234567890),
        ("1e-4", 1e-4),
        (".5", 0.5),
    ],
)
def test_parse_parameter_keeps_unusual_notation_as_text(cell: str, value: object) -> None:
    assert parse_parameter(cell) == value


def test_parameters_keep_their_notation_in_rows(tmp_path: Path) -> None:
    header = HEADER + ",Commit,Short,Seed,Decay,Half"
    cells = "0012345,12345e67,12345678901234567890,1e-4,.5"
    assert read_row(tmp_path, f"{header}\na,0.01,0.9,{LOSS},{cells}\n").params == {
        "commit": "0012345",
        "short": "12345e67",
        "seed": 12345678901234567890,
        "decay": 1e-4,
        "half": 0.5,
    }


@pytest.mark.parametrize("cell", ["none", "None", "NONE"])
def test_parse_rate_none_is_null(cell: str) -> None:
    assert parse_rate(cell) is None


@pytest.mark.parametrize("cell", ["", "nan", "null", "-", "no", "-0.1"])
def test_parse_rate_other_words_are_rejected(cell: str) -> None:
    with pytest.raises(InvalidCellError):
        parse_rate(cell)


def test_row_without_rates_differs_from_one_with_zero(tmp_path: Path) -> None:
    (tmp_path / "zero").mkdir()
    none = read_row(tmp_path, f"{HEADER}\na,none,none,{LOSS}\n")
    zero = read_row(tmp_path / "zero", f"{HEADER}\na,0,0,{LOSS}\n")
    assert (none.learning_rate, none.momentum) == (None, None)
    assert none.digest() != zero.digest()
