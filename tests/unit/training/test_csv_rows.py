"""CSV files of experiments: rows merged into a file keep everything else."""

import csv
import io
from pathlib import Path

import pytest

from training import csv_rows


def test_merge_rows_replaces_in_place_and_keeps_the_rest(tmp_path: Path) -> None:
    data_csv = tmp_path / "data.csv"
    data_csv.write_text("Experiment Name,Note\nmine,x\nours,\nlast,z\n")
    rows = [{"Experiment Name": name, "Seed": "7"} for name in ("ours", "new")]
    table = list(csv.DictReader(io.StringIO(csv_rows.merge_rows(data_csv, rows))))
    assert [(row["Experiment Name"], row["Seed"], row["Note"]) for row in table] == [
        ("mine", "", "x"),
        ("ours", "7", ""),
        ("last", "", "z"),
        ("new", "7", ""),
    ]


def test_merge_rows_accepts_a_byte_order_mark(tmp_path: Path) -> None:
    data_csv = tmp_path / "data.csv"
    data_csv.write_text("Experiment Name,Note\nmine,x\n", encoding="utf-8-sig")
    table = list(csv.DictReader(io.StringIO(csv_rows.merge_rows(data_csv, []))))
    assert [(row["Experiment Name"], row["Note"]) for row in table] == [("mine", "x")]


@pytest.mark.parametrize("text", ["", "\n \n"])
def test_merge_rows_into_a_blank_file_writes_the_header(tmp_path: Path, text: str) -> None:
    (tmp_path / "data.csv").write_text(text)
    merged = csv_rows.merge_rows(tmp_path / "data.csv", [{"Experiment Name": "new"}])
    assert [row["Experiment Name"] for row in csv.DictReader(io.StringIO(merged))] == ["new"]
