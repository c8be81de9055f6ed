"""Misplaced files: their descriptions."""

from pathlib import Path

import pytest

from inference.model_format.layout import FILES
from inference.model_format.misplaced import FORMATS, find_problem, is_note


@pytest.mark.parametrize(
    ("name", "problem"),
    [
        ("mlp.h5", "mlp.h5 is an HDF5 file, which is not served as it is. Run `make convert"),
        ("MLP.H5", "MLP.H5 is an HDF5 file"),
        ("a.weights.h5", "a.weights.h5 holds weights without a model"),
        ("a.tflite", "a.tflite is a LiteRT file without the card"),
        ("a.PT", "a.PT is a PyTorch file"),
        ("a.pkl", "a.pkl is a pickle, which may run any code and is never opened"),
        ("a.KERAS", "a.KERAS must end in .keras, in small letters"),
        ("a\nb.h5", "A file is an HDF5 file"),
    ],
)
def test_find_problem_of_a_file_says_what_to_do(tmp_path: Path, name: str, problem: str) -> None:
    (tmp_path / name).touch()
    found = find_problem(str(tmp_path / name), FILES)
    assert found is not None
    assert found.startswith(problem)


@pytest.mark.parametrize("name", ["README.md", "data.csv", "model.json"])
def test_find_problem_of_other_files_is_none(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    assert find_problem(str(tmp_path / name), FILES) is None
    assert find_problem(str(tmp_path), FILES) is None
    assert find_problem(str(tmp_path / "nowhere"), FILES) is None


def test_find_problem_sentences_end_with_advice() -> None:
    assert all(problem.count(". ") >= 1 and problem.endswith(".") for problem in FORMATS.values())


def test_is_note_accepts_texts_only() -> None:
    assert all(map(is_note, ("README", "README.md", "notes.txt", "LICENSE")))
    assert not any(map(is_note, ("a.h5", "data.csv", "a.py")))
