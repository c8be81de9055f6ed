"""Atomic file writes: complete content or none, and no leftovers."""

from pathlib import Path

import pytest

from inference.model_format.atomic_file import write_atomically


@pytest.mark.parametrize("flush", [True, False])
def test_write_atomically_replaces_the_content(tmp_path: Path, *, flush: bool) -> None:
    (tmp_path / "x").write_bytes(b"old content")
    write_atomically(tmp_path / "x", b"new", flush=flush)
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("x", b"new")]


def test_write_atomically_keeps_the_file_of_open_readers(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"old")
    with (tmp_path / "x").open("rb") as reader:
        write_atomically(tmp_path / "x", b"new")
        assert reader.read() == b"old"


def test_write_atomically_missing_directory_raises(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        write_atomically(tmp_path / "nowhere" / "x", b"new")
