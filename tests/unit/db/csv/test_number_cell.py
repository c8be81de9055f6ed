"""Number cells: accuracies in fractions and percent, and the notation of parameters."""

from pathlib import Path

import pytest

from db.csv.number_cell import parse_accuracy, parse_number, parse_parameter
from db.csv.reject_reasons import InvalidCellError
from tests.support.csv_text import HEADER, LOSS, read_reject, read_row


@pytest.mark.parametrize(
    ("title", "cell", "fraction"),
    [
        ("Test Accuracy", "0.985", 0.985),
        ("Test Accuracy", "98.5%", 0.985),
        ("Test Accuracy", "98.5 %", 0.985),
        ("accuracy [%]", "98.5", 0.985),
        ("Accuracy (%)", "98.5%", 0.985),
        ("Top-5 accuracy", "1", 1.0),
        ("Accuracy", "0", 0.0),
    ],
)
def test_accuracy_is_stored_as_fraction(
    tmp_path: Path, title: str, cell: str, fraction: float
) -> None:
    [metric] = read_row(tmp_path, f"{HEADER},{title}\na,0.01,0.9,{LOSS},{cell}\n").metrics.values()
    assert metric == pytest.approx(fraction)


@pytest.mark.parametrize("cell", ["98.5", "-0.1", "101%", "1.0001"])
def test_accuracy_out_of_range_is_rejected(tmp_path: Path, cell: str) -> None:
    reject = read_reject(tmp_path, f"{HEADER},Test Accuracy\na,0.01,0.9,{LOSS},{cell}\n")
    assert (reject.column, "0.985" in reject.reason) == ("Test Accuracy", True)


def test_parse_accuracy_in_percent_over_100_is_rejected() -> None:
    with pytest.raises(InvalidCellError, match="within 0 to 1"):
        parse_accuracy("100.1", is_percent=True)


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
