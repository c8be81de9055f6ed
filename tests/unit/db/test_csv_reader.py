"""What the import takes of a CSV file, and what it says of the rest."""

import json
from pathlib import Path

import pytest

from db.csv_reader import Reject, Row, UnreadableFileError, read
from db.curve_cell import Curve

HEADER = "Experiment Name,Learning Rate,Momentum,Loss"
LOSS = '"{""Step"": [1, 5, 9], ""Value"": [2.3, 0.4, 0.5]}"'


def entries(tmp_path: Path, content: str | bytes) -> list[Row | Reject]:
    path = tmp_path / "data.csv"
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return list(read(path))


def only_row(tmp_path: Path, content: str | bytes) -> Row:
    (row,) = entries(tmp_path, content)
    assert isinstance(row, Row)
    return row


def only_reject(tmp_path: Path, content: str | bytes) -> Reject:
    (reject,) = entries(tmp_path, content)
    assert isinstance(reject, Reject)
    return reject


def test_a_row_of_the_first_versions_file_is_taken(tmp_path: Path) -> None:
    row = only_row(tmp_path, f"{HEADER}\nmnist_experiment_1__a,0.01,0.9,{LOSS}\n")
    assert row == Row(
        2,
        "mnist_experiment_1__a",
        "mnist",
        0.01,
        0.9,
        {},
        {},
        {"loss": Curve((1, 5, 9), (2.3, 0.4, 0.5))},
    )


def test_further_columns_become_params_metrics_and_curves(tmp_path: Path) -> None:
    header = HEADER + ",Task,Batch Size,Optimizer Name,Test Accuracy (%),Validation Loss,Note"
    row = only_row(tmp_path, f"{header}\na,0.01,0.9,{LOSS},odd_even,128,sgd,98.5,{LOSS},\n")
    assert (row.task, row.params, row.metrics, sorted(row.curves)) == (
        "odd_even",
        {"batch_size": 128, "optimizer_name": "sgd"},
        {"test_accuracy": 0.985},
        ["loss", "validation_loss"],
    )


@pytest.mark.parametrize(
    ("title", "cell", "share"),
    [
        ("Test Accuracy", "0.985", 0.985), ("Test Accuracy", "98.5%", 0.985), ("Test Accuracy", "98.5 %", 0.985),
        ("accuracy [%]", "98.5", 0.985), ("Accuracy (%)", "98.5%", 0.985), ("Top-5 accuracy", "1", 1.0), ("Accuracy", "0", 0.0),
    ],
)  # fmt: skip
def test_an_accuracy_is_a_share(tmp_path: Path, title: str, cell: str, share: float) -> None:
    [metric] = only_row(tmp_path, f"{HEADER},{title}\na,0.01,0.9,{LOSS},{cell}\n").metrics.values()
    assert metric == pytest.approx(share)


@pytest.mark.parametrize("cell", ["98.5", "-0.1", "101%", "1.0001"])
def test_an_accuracy_that_is_no_share_is_a_reject_that_says_how_to_write_it(
    tmp_path: Path, cell: str
) -> None:
    reject = only_reject(tmp_path, f"{HEADER},Test Accuracy\na,0.01,0.9,{LOSS},{cell}\n")
    assert (reject.column, "0.985" in reject.reason) == ("Test Accuracy", True)


@pytest.mark.parametrize("task", ["Flowers of Spring", "MNIST", "1st", "a" * 33])
def test_a_task_that_no_model_can_have_is_a_reject(tmp_path: Path, task: str) -> None:
    reject = only_reject(tmp_path, f"{HEADER},Task\na,0.01,0.9,{LOSS},{task}\n")
    assert (reject.column, "begins with a letter" in reject.reason) == ("Task", True)


def test_what_only_looks_like_a_number_stays_as_it_was_written(tmp_path: Path) -> None:
    header = HEADER + ",Commit,Short,Seed,Decay,Half"
    row = only_row(
        tmp_path, f"{header}\na,0.01,0.9,{LOSS},0012345,12345e67,12345678901234567890,1e-4,.5\n"
    )
    assert row.params == {
        "commit": "0012345",
        "short": "12345e67",
        "seed": 12345678901234567890,
        "decay": 1e-4,
        "half": 0.5,
    }


def test_columns_of_any_script_are_welcome(tmp_path: Path) -> None:
    row = only_row(tmp_path, f"{HEADER},精度,备注,Größe\na,0.01,0.9,{LOSS},1,gut,3\n")
    assert row.params == {"精度": 1, "备注": "gut", "größe": 3}


@pytest.mark.parametrize(
    "content",
    [
        f"\ufeff{HEADER}\na,1,0,{LOSS}\n",
        f"{HEADER}\na,1,0,{LOSS}\n".replace("\n", "\r\n"),
        f"{HEADER}\na,1,0,{LOSS}",
        f"{HEADER}\n\n\na,1,0,{LOSS}\n\n",
        f"{HEADER};Note\na;1;0;{LOSS};\n".replace("Name,", "Name;").replace("Rate,", "Rate;").replace("Momentum,", "Momentum;"),
        f"{HEADER}\na,1,0,{LOSS}\n".replace(",", "\t").replace("[1\t 5\t 9]", "[1,5,9]").replace("2.3\t 0.4\t 0.5", "2.3,0.4,0.5")
        .replace("]\t ", "], "),
        f"{HEADER}\na,1,0,{LOSS}\n".encode("utf-16"),
        f'{HEADER}\na,1,0,"{{""Step"": [1, 5, 9],\n ""Value"": [2.3, 0.4, 0.5]}}"\n',
        f"Loss, Momentum ,Learning Rate,Experiment Name\n{LOSS},0,1,a\n",
        f"experiment_name,learning rate,MOMENTUM,loss\na,1,0,{LOSS}\n",
    ],
    ids=[
        "bom", "crlf", "no-last-newline", "blank-lines", "semicolons", "tabs",
        "utf-16", "quoted-newline", "other-order", "other-case",
    ],
)  # fmt: skip
def test_usual_spellings_of_a_csv_file_are_read(tmp_path: Path, content: str | bytes) -> None:
    row = only_row(tmp_path, content)
    assert (row.name, row.learning_rate, row.momentum, row.curves["loss"].steps) == (
        "a",
        1.0,
        0.0,
        (1, 5, 9),
    )


@pytest.mark.parametrize(
    ("row", "column", "reason"),
    [
        (f",1,0,{LOSS}", "Experiment Name", "is missing"),
        (f"a b,1,0,{LOSS}", "Experiment Name", "must be 1 to 128"),
        (f"../a,1,0,{LOSS}", "Experiment Name", "must be 1 to 128"),
        (f"{'a' * 129},1,0,{LOSS}", "Experiment Name", "must be 1 to 128"),
        (f"a,,0,{LOSS}", "Learning Rate", "is missing"),
        (f"a,fast,0,{LOSS}", "Learning Rate", "is no number"),
        (f'a,"0,01",0,{LOSS}', "Learning Rate", "is no number"),
        (f"a,1_000,0,{LOSS}", "Learning Rate", "is no number"),
        (f"a,-1,0,{LOSS}", "Learning Rate", "is negative"),
        (f"a,1,nan,{LOSS}", "Momentum", "is no number"),
        (f"a,1,Infinity,{LOSS}", "Momentum", "is no number"),
        (f"a,1,1e999,{LOSS}", "Momentum", "is no number"),
        ("a,1,0,", "Loss", "is missing"),
        ("a,1,0,{oops", "Loss", "is no JSON"),
        ("a,1,0,[1]", "Loss", "must be a JSON object with two lists"),
        ('a,1,0,"{""Step"": 1, ""Value"": 2}"', "Loss", "must be a JSON object with two lists"),
        ('a,1,0,"{""Step"": [1, 2], ""Value"": [1]}"', "Loss", "has 2 steps and 1 values"),
        ('a,1,0,"{""Step"": [], ""Value"": []}"', "Loss", "has no points"),
        ('a,1,0,"{""Step"": [2, 1], ""Value"": [1, 1]}"', "Loss", "has steps that do not increase"),
        ('a,1,0,"{""Step"": [1, 1], ""Value"": [1, 1]}"', "Loss", "has steps that do not increase"),
        ('a,1,0,"{""Step"": [1.5], ""Value"": [1]}"', "Loss", "has a step that is no whole number"),
        ('a,1,0,"{""Step"": [true], ""Value"": [1]}"', "Loss", "has a step that is no whole number"),
        (f'a,1,0,"{{""Step"": [1{"0" * 400}], ""Value"": [1]}}"', "Loss", "has a step that is no whole number"),
        ('a,1,0,"{""Step"": [1], ""Value"": [NaN]}"', "Loss", "holds NaN"),
        ('a,1,0,"{""Step"": [1], ""Value"": [-Infinity]}"', "Loss", "holds -Infinity"),
        ('a,1,0,"{""Step"": [1], ""Value"": [1e999]}"', "Loss", "has a value that is no finite number"),
        ('a,1,0,"{""Step"": [1], ""Value"": [""1""]}"', "Loss", "has a value that is no finite number"),
        ('a,1,0,"{""Step"": ' + "[" * 100_000 + '"', "Loss", "is no JSON"),
        (f"a,1,0,{LOSS},9", None, "has 5 cells, the header has 4"),
        ("a,1", None, "has 2 cells, the header has 4"),
    ],
)  # fmt: skip
def test_a_bad_row_is_rejected_with_its_column_and_reason(
    tmp_path: Path, row: str, column: str | None, reason: str
) -> None:
    reject = only_reject(tmp_path, f"{HEADER}\n{row}\n")
    assert (reject.line, reject.column, reject.raw) == (2, column, row)
    assert reason in reject.reason


def test_a_bad_row_does_not_stop_the_rows_after_it(tmp_path: Path) -> None:
    found = entries(tmp_path, f"{HEADER}\na,x,0,{LOSS}\nb,1,0,{LOSS}\nc,1\nd,1,0,{LOSS}\n")
    assert [(entry.line, type(entry)) for entry in found] == [
        (2, Reject),
        (3, Row),
        (4, Reject),
        (5, Row),
    ]


def test_a_repeated_name_is_rejected_and_names_the_first_line(tmp_path: Path) -> None:
    _, reject = entries(tmp_path, f"{HEADER}\na,1,0,{LOSS}\na,2,0,{LOSS}\n")
    assert reject == Reject(
        3, "Experiment Name", "repeats the name of line 2", f"a,2,0,{LOSS}", "a"
    )


def test_lines_are_counted_through_quoted_newlines(tmp_path: Path) -> None:
    first = 'a,1,0,"{""Step"": [1],\n\n""Value"": [1]}"'
    found = entries(tmp_path, f"{HEADER}\n{first}\nb,x,0,{LOSS}\n")
    assert [entry.line for entry in found] == [2, 5]


def test_bytes_that_are_no_utf8_spoil_only_their_row_and_are_kept(tmp_path: Path) -> None:
    content = f"{HEADER},Note\na,1,0,{LOSS},gut\nb,1,0,{LOSS},".encode() + b"M\xfcller\n"
    _, reject = entries(tmp_path, content)
    assert isinstance(reject, Reject)
    assert (reject.column, reject.raw) == ("Note", f"b,1,0,{LOSS},M\\xfcller")


def test_a_nul_byte_spoils_only_its_row(tmp_path: Path) -> None:
    first, second = entries(tmp_path, f"{HEADER}\na\0,1,0,{LOSS}\nb,1,0,{LOSS}\n")
    assert isinstance(first, Reject)
    assert "\0" not in first.raw
    assert isinstance(second, Row)


def test_an_open_quote_loses_nothing_of_the_text_it_swallows(tmp_path: Path) -> None:
    reject = only_reject(tmp_path, f'{HEADER}\na,1,0,"{{""Step"": [1]\nb,1,0,{LOSS}\n')
    assert reject.raw.endswith(LOSS)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is empty"),
        ("\n", "is empty"),
        ("Experiment Name,Momentum\n", "lacks the columns Learning Rate, Loss"),
        (f"{HEADER},Note,note\n", "more than one column named note"),
        (b"\x00\x01\x02\x03", "is no text file"),
        (f"{HEADER},Gr\xf6\xdfe\n".encode("latin-1"), "bytes that are no UTF-8 text"),
        (f"{HEADER},{'x' * 200_000}\n", "longer than 128 characters"),
        (b"\xff\xfe\x00\xd8\x00", "is no valid UTF-16"),
    ],
)
def test_an_unusable_file_is_an_error_that_says_why(
    tmp_path: Path, content: str | bytes, message: str
) -> None:
    with pytest.raises(UnreadableFileError, match=message):
        entries(tmp_path, content)


def test_a_missing_file_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(UnreadableFileError, match=r"data\.csv cannot be read: No such file"):
        list(read(tmp_path / "data.csv"))


def test_a_digest_depends_on_content_alone(tmp_path: Path) -> None:
    first = only_row(tmp_path, f"{HEADER}\na,1,0,{LOSS}\n")
    moved = only_row(tmp_path, f"{HEADER}\n\n\na,1.0,0,{LOSS}\n")
    changed = only_row(tmp_path, f"{HEADER}\na,1,0.5,{LOSS}\n")
    assert first.digest() == moved.digest() != changed.digest()


@pytest.mark.parametrize(
    ("metric", "best"), [("loss", (1.0, 2)), ("validation_accuracy", (3.0, 1))]
)
def test_the_best_value_is_the_lowest_loss_and_the_highest_accuracy(
    metric: str, best: tuple[float, int]
) -> None:
    assert Curve((1, 2, 3), (3.0, 1.0, 1.0)).best(metric) == best


def test_a_large_curve_is_one_cell(tmp_path: Path) -> None:
    points = 20_000
    loss = json.dumps({"Step": list(range(points)), "Value": [0.5] * points}).replace('"', '""')
    assert len(only_row(tmp_path, f'{HEADER}\na,1,0,"{loss}"\n').curves["loss"].steps) == points
