"""CSV rows: names, tasks, additional columns, reject reasons and digests."""

from pathlib import Path

import pytest

from db.csv.curve_cell import Curve
from db.csv.row import Reject, Row
from tests.support.csv_text import HEADER, LOSS, read_entries, read_reject, read_row

NAME_IS_INVALID = "Use 1 to 128 characters"


def test_row_with_required_columns_is_accepted(tmp_path: Path) -> None:
    row = read_row(tmp_path, f"{HEADER}\nmnist_experiment_1__a,0.01,0.9,{LOSS}\n")
    loss = Curve((1, 5, 9), (2.3, 0.4, 0.5))
    assert row == Row(2, "mnist_experiment_1__a", "mnist", 0.01, 0.9, {}, {}, {"loss": loss})


@pytest.mark.parametrize("word", ["none", "None"])
def test_loss_of_none_is_a_row_without_curve(tmp_path: Path, word: str) -> None:
    row = read_row(tmp_path, f"{HEADER},Test Accuracy\na,none,none,{word},0.9\n")
    assert (row.curves, row.metrics) == ({}, {"test_accuracy": 0.9})


def test_additional_columns_become_params_metrics_curves(tmp_path: Path) -> None:
    header = HEADER + ",Task,Batch Size,Optimizer Name,Test Accuracy (%),Validation Loss,Note"
    row = read_row(tmp_path, f"{header}\na,0.01,0.9,{LOSS},odd_even,128,sgd,98.5,{LOSS},\n")
    assert (row.task, row.params, row.metrics, sorted(row.curves)) == (
        "odd_even",
        {"batch_size": 128, "optimizer_name": "sgd"},
        {"test_accuracy": 0.985},
        ["loss", "validation_loss"],
    )


def test_column_without_a_number_becomes_param(tmp_path: Path) -> None:
    row = read_row(tmp_path, f"{HEADER},Loss Function,Accuracy\na,0.01,0.9,{LOSS},mse,n/a\n")
    assert (row.metrics, row.params) == ({}, {"loss_function": "mse"})


def test_columns_of_any_script_are_accepted(tmp_path: Path) -> None:
    row = read_row(tmp_path, f"{HEADER},精度,备注,Größe\na,0.01,0.9,{LOSS},1,gut,3\n")
    assert row.params == {"精度": 1, "备注": "gut", "größe": 3}


@pytest.mark.parametrize("task", ["Flowers of Spring", "MNIST", "1st", "a" * 33])
def test_invalid_task_is_rejected(tmp_path: Path, task: str) -> None:
    reject = read_reject(tmp_path, f"{HEADER},Task\na,0.01,0.9,{LOSS},{task}\n")
    assert (reject.column, "start with a letter" in reject.reason) == ("Task", True)


@pytest.mark.parametrize(
    ("row", "column", "reason"),
    [
        (f",1,0,{LOSS}", "Experiment Name", "The cell is empty."),
        (f"a b,1,0,{LOSS}", "Experiment Name", NAME_IS_INVALID),
        (f"../a,1,0,{LOSS}", "Experiment Name", NAME_IS_INVALID),
        (f"{'a' * 129},1,0,{LOSS}", "Experiment Name", NAME_IS_INVALID),
        (f"a,,0,{LOSS}", "Learning Rate", "The cell is empty."),
        (f"a,fast,0,{LOSS}", "Learning Rate", "Not a finite number."),
        (f'a,"0,01",0,{LOSS}', "Learning Rate", "Not a finite number."),
        (f"a,1_000,0,{LOSS}", "Learning Rate", "Not a finite number."),
        (f"a,-1,0,{LOSS}", "Learning Rate", "Negative number."),
        (f"a,1,nan,{LOSS}", "Momentum", "Not a finite number."),
        (f"a,1,Infinity,{LOSS}", "Momentum", "Not a finite number."),
        (f"a,1,1e999,{LOSS}", "Momentum", "Not a finite number."),
        ("a,1,0,", "Loss", "The cell is empty."),
        (f"a,1,0,{LOSS},9", None, "has 5 cells, but the header has 4"),
        ("a,1", None, "has 2 cells, but the header has 4"),
    ],
)  # fmt: skip
def test_invalid_row_is_rejected_with_column_and_reason(
    tmp_path: Path, row: str, column: str | None, reason: str
) -> None:
    reject = read_reject(tmp_path, f"{HEADER}\n{row}\n")
    assert (reject.line, reject.column, reject.raw) == (2, column, row)
    assert reason in reject.reason


def test_repeated_name_is_rejected_with_first_line(tmp_path: Path) -> None:
    _, reject = read_entries(tmp_path, f"{HEADER}\na,1,0,{LOSS}\na,2,0,{LOSS}\n")
    reason = "The name is already in line 2. Give every experiment a unique name."
    assert reject == Reject(3, "Experiment Name", reason, f"a,2,0,{LOSS}", "a")


def test_digest_depends_on_content_only(tmp_path: Path) -> None:
    first = read_row(tmp_path, f"{HEADER}\na,1,0,{LOSS}\n")
    moved = read_row(tmp_path, f"{HEADER}\n\n\na,1.0,0,{LOSS}\n")
    changed = read_row(tmp_path, f"{HEADER}\na,1,0.5,{LOSS}\n")
    assert first.digest() == moved.digest() != changed.digest()
