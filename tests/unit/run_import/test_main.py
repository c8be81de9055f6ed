import csv
from pathlib import Path

import pytest

from run_import.__main__ import main

HISTORY = "_step,loss,val_loss,acc\n0,2.0,2.5,10\n1,1.0,1.5,20\n"


@pytest.fixture
def export(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """An export of one run. DATA_DIR and DATA_CSV are of this test."""
    monkeypatch.setenv("DATA_DIR", str(tmp_path / "data.d"))
    monkeypatch.setenv("DATA_CSV", str(tmp_path / "none.csv"))
    path = tmp_path / "lenet.csv"
    path.write_text(HISTORY)
    return str(path)


def test_import_writes_a_file_that_the_set_up_takes(
    export: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([export, "--experiment", "mnist"]) == 0
    [path] = (tmp_path / "data.d").iterdir()
    assert path.name == "wandb-mnist.csv"
    with path.open(newline="") as file:
        [row] = csv.DictReader(file)
    assert (row["Experiment Name"], row["Learning Rate"]) == ("mnist_lenet", "none")
    assert row["validation_loss"] == '{"Step": [0, 1], "Value": [2.5, 1.5]}'
    output = capsys.readouterr().out
    assert "1 rows, 0 of them rejected" in output
    assert "curves   loss, accuracy, validation_loss" in output
    assert output.splitlines()[-1] == "All 1 runs are in the file."


def test_import_replaces_a_file_only_when_told(
    export: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main([export, "--out", "../past"]) == 0
    path = tmp_path / "data.d" / "___past.csv"
    before = path.read_text()
    Path(export).write_text(HISTORY.replace("2.0", "3.0"))
    assert main([export, "--out", "../past"]) == 1
    assert "REPLACE=1" in capsys.readouterr().err
    assert path.read_text() == before
    assert main([export, "--out", "../past", "--replace"]) == 0
    assert path.read_text() != before


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["{folder}/nothing"], "does not exist"),
        (["{folder}"], "no supported kind"),
        (["{export}", "--task", "A B"], "Invalid TASK"),
    ],
)
def test_import_tells_what_is_wrong(
    export: str,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    arguments: list[str],
    message: str,
) -> None:
    folder = tmp_path / "empty"
    folder.mkdir()
    assert main([argument.format(folder=folder, export=export) for argument in arguments]) == 1
    assert message in capsys.readouterr().err
    assert not (tmp_path / "data.d").exists()


def test_import_without_loss_is_taken_and_without_metrics_named(
    export: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    table = 'Name,State,lr,test_acc,Tags,Notes\nforest,finished,,0.9,"a, b","Two\nlines."\n'
    Path(export).write_text(table + "broken,crashed,0.1,,,\n")
    assert main([export]) == 0
    output = capsys.readouterr().out
    assert "1 rows, 0 of them rejected" in output
    assert output.splitlines()[-1] == (
        "Left out: 1 of 2 runs, because they have no metric: broken."
    )
    [path] = (tmp_path / "data.d").iterdir()
    with path.open(newline="") as file:
        [row] = csv.DictReader(file)
    assert (row["Loss"], row["test_accuracy"]) == ("none", "0.9")
    assert (row["tag_wandb"], row["note"]) == ("a, b", "Two\nlines.")


def test_import_without_any_metric_writes_nothing(
    export: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    Path(export).write_text("Name,State,lr\nlenet,crashed,0.1\n")
    assert main([export]) == 1
    captured = capsys.readouterr()
    assert "because they have no metric: lenet." in captured.out
    assert "nothing to import" in captured.err
    assert not (tmp_path / "data.d").exists()
