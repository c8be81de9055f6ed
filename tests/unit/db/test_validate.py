"""CSV validation: the reports of `make check-data`."""

from pathlib import Path

import pytest

from db import validate

HEADER = "Experiment Name,Learning Rate,Momentum,Loss,Batch Size,Test Accuracy"
LOSS = '"{""Step"": [1, 5], ""Value"": [2.3, 0.4]}"'


def check(tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str) -> tuple[int, str]:
    path = tmp_path / "more.csv"
    path.write_text(content)
    return validate.main([str(path)]), capsys.readouterr().out


def test_valid_file_is_reported_with_rows_and_columns(
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


def test_reject_is_reported_with_line_column_and_reason(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, output = check(tmp_path, capsys, f"{HEADER}\na,1,0,{LOSS},64,0.9\nb,fast,0,{LOSS},64,1\n")
    reason = "line 3, Learning Rate: Not a finite number. Enter a number such as 0.01, or none."
    assert (code, reason in output) == (1, True)


def test_use_of_metric_columns_is_reported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    header = f"{HEADER},Score"
    rows = f'a,1,0,{LOSS},64,"98,5 %",good\nb,1,0,{LOSS},64,high,\n'
    code, output = check(tmp_path, capsys, f"{header}\n{rows}")
    assert code == 1
    for expected in (
        "test_accuracy has numbers with a decimal comma\n",
        "score is a parameter, not a metric, because no cell is a number\n",
        "line 3, Test Accuracy: Not a number, but other cells of this column are.",
    ):
        assert expected in output


def test_other_files_decide_about_metric_columns(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data.d").mkdir()
    for name, accuracy in (("a", "0.9"), ("b", "high")):
        Path(f"data.d/{name}.csv").write_text(f"{HEADER}\n{name},1,0,{LOSS},64,{accuracy}\n")
    assert validate.main(["data.d/b.csv"]) == 1
    assert "line 2, Test Accuracy: Not a number" in capsys.readouterr().out


def test_first_100_rejects_are_shown_and_others_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    code, output = check(tmp_path, capsys, f"{HEADER}\n" + "a,b\n" * 250)
    assert (code, output.count("has 2 cells")) == (1, 100)
    assert "... and 150 more rejected rows" in output


@pytest.mark.parametrize("content", ["", "Name\n"])
def test_unreadable_file_is_reported_with_reason(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], content: str
) -> None:
    code, output = check(tmp_path, capsys, content)
    assert (code, "cannot be imported" in output) == (1, True)


def test_without_file_all_files_of_a_set_up_are_checked(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data.d").mkdir()
    for name in ("data.csv", "data.d/more.csv"):
        Path(name).write_text(f"{HEADER}\na,1,0,{LOSS},64,0.9\n")
    assert validate.main([]) == 1
    assert "is already in data.csv, line 2" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("file", "is_conflict"),
    [("data.csv", False), ("data.d/b.csv", True), ("data.d/a.csv", False), ("new.csv", True)],
)
def test_file_is_checked_for_names_of_earlier_files(
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    file: str,
    *,
    is_conflict: bool,
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
    assert validate.main([file]) == int(is_conflict)
    output = capsys.readouterr().out
    assert (output.startswith(file), "is already in data." in output) == (True, is_conflict)
