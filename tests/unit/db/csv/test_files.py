"""CSV files of an import: order, hidden files, and a directory that cannot be read."""

import os
from pathlib import Path

from db.csv import files as csv_files


def test_find_returns_data_csv_then_directory_by_name(tmp_path: Path) -> None:
    folder = tmp_path / "data.d"
    folder.mkdir()
    for name in ("b.csv", "a.csv", ".hidden.csv", "notes.txt"):
        (folder / name).touch()
    found = csv_files.find(tmp_path / "data.csv", folder)
    assert [file.name for file in found] == ["data.csv", "data.d/a.csv", "data.d/b.csv"]
    assert [found.is_in_directory(file.name) for file in found] == [False, True, True]


def test_find_skips_data_csv_in_directory(tmp_path: Path) -> None:
    (tmp_path / "data.csv").touch()
    assert [file.name for file in csv_files.find(tmp_path / "data.csv", tmp_path)] == ["data.csv"]


def test_find_missing_directory_has_no_error(tmp_path: Path) -> None:
    found = csv_files.find(tmp_path / "data.csv", tmp_path / "none")
    assert (found.additional, found.error) == ((), None)


def test_find_file_instead_of_directory_sets_error(tmp_path: Path) -> None:
    (tmp_path / "data.d").touch()
    error = csv_files.find(tmp_path / "data.csv", tmp_path / "data.d").error
    assert str(error).startswith("data.d cannot be read")


def test_find_name_of_invalid_utf8_is_escaped(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"\xff.csv")).touch()
    found = csv_files.find(Path("data.csv"), tmp_path)
    assert [file.name for file in found.additional] == [f"{tmp_path.name}/\\xff.csv"]
