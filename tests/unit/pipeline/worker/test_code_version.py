"""Code version: changes with the code on which results depend, and with nothing else."""

from pathlib import Path

from pipeline.worker.code_version import code_version


def write(root: Path, path: str, text: str) -> None:
    file = root / path
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(text)


def test_code_version_changes_with_training_code_only(tmp_path: Path) -> None:
    write(tmp_path, "training/run.py", "a = 1\n")
    write(tmp_path, "web/app.py", "a = 1\n")
    before = code_version(tmp_path)
    write(tmp_path, "web/app.py", "a = 2\n")
    assert code_version(tmp_path) == before
    write(tmp_path, "training/run.py", "a = 2\n")
    assert code_version(tmp_path) != before


def test_code_version_changes_when_a_file_is_renamed(tmp_path: Path) -> None:
    write(tmp_path, "training/run.py", "a = 1\n")
    before = code_version(tmp_path)
    (tmp_path / "training" / "run.py").rename(tmp_path / "training" / "other.py")
    assert code_version(tmp_path) != before
