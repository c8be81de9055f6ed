"""Curve cells: reject reasons, large curves and the best point."""

import json
from pathlib import Path

import pytest

from db.csv.curve_cell import Curve, parse_curve
from db.csv.reject_reasons import InvalidCellError
from tests.support.csv_text import HEADER, read_reject, read_row


@pytest.mark.parametrize(
    ("cell", "reason"),
    [
        ("", "The cell is empty"),
        ("{oops", "Not valid JSON"),
        ('{"Step": ' + "[" * 100_000, "Not valid JSON"),
        ("[1]", "Not an object with two lists"),
        ('{"Step": 1, "Value": 2}', "Not an object with two lists"),
        ('{"Step": [1, 2], "Value": [1]}', "has 2 steps and 1 values"),
        ('{"Step": [], "Value": []}', "has no points"),
        ('{"Step": [2, 1], "Value": [1, 1]}', "steps do not increase"),
        ('{"Step": [1, 1], "Value": [1, 1]}', "steps do not increase"),
        ('{"Step": [1.5], "Value": [1]}', "A step is not a 64-bit integer"),
        ('{"Step": [true], "Value": [1]}', "A step is not a 64-bit integer"),
        (f'{{"Step": [1{"0" * 400}], "Value": [1]}}', "A step is not a 64-bit integer"),
        ('{"Step": [1], "Value": [NaN]}', "contains NaN"),
        ('{"Step": [1], "Value": [-Infinity]}', "contains -Infinity"),
        ('{"Step": [1], "Value": [1e999]}', "A value is not a finite number"),
        ('{"Step": [1], "Value": ["1"]}', "A value is not a finite number"),
    ],
)
def test_invalid_curve_is_rejected_with_reason(tmp_path: Path, cell: str, reason: str) -> None:
    with pytest.raises(InvalidCellError, match=reason):
        parse_curve(cell)
    quoted = cell.replace('"', '""')
    reject = read_reject(tmp_path, f'{HEADER}\na,1,0,"{quoted}"\n')
    assert (reject.line, reject.column, reject.raw) == (2, "Loss", f'a,1,0,"{quoted}"')
    assert reason in reject.reason


@pytest.mark.parametrize(
    ("metric", "best"), [("loss", (1.0, 2)), ("validation_accuracy", (3.0, 1))]
)
def test_best_point_is_lowest_loss_or_highest_accuracy(
    metric: str, best: tuple[float, int]
) -> None:
    assert Curve((1, 2, 3), (3.0, 1.0, 1.0)).best_point(metric) == best


def test_large_curve_fits_one_cell(tmp_path: Path) -> None:
    points = 20_000
    loss = json.dumps({"Step": list(range(points)), "Value": [0.5] * points}).replace('"', '""')
    assert len(read_row(tmp_path, f'{HEADER}\na,1,0,"{loss}"\n').curves["loss"].steps) == points
