"""Atomic file writes: complete content or none, and no leftovers."""

import errno
from contextlib import nullcontext
from pathlib import Path

import pytest

from inference.model_format.atomic_file import flush, write_atomically


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


@pytest.mark.parametrize(("number", "is_raised"), [(errno.EINVAL, False), (errno.EIO, True)])
def test_flush_accepts_a_file_system_without_flushed_directories(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int, *, is_raised: bool
) -> None:
    def fail(_descriptor: int) -> None:
        raise OSError(number, "fsync")

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(OSError, match="fsync") if is_raised else nullcontext():
        flush(tmp_path)
