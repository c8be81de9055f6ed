"""Safe opening: only regular files of limited size are opened, without blocking."""

import os
from pathlib import Path

import pytest

from inference.model_format.safe_open import MAX_MODEL_BYTES, RejectedModelError, open_regular


@pytest.mark.parametrize(
    "make",
    [os.mkfifo, Path.mkdir, lambda path: path.symlink_to(__file__), lambda path: path.touch()],
)
def test_open_regular_rejects_everything_but_nonempty_files(tmp_path: Path, make: object) -> None:
    assert callable(make)
    make(tmp_path / "x")
    with pytest.raises(RejectedModelError, match=r"^x "):
        open_regular(tmp_path / "x")


def test_open_regular_follows_no_link_made_after_its_check(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "x").symlink_to(__file__)
    monkeypatch.setattr(Path, "is_symlink", lambda _: False)
    with pytest.raises(OSError, match="symbolic links"):
        open_regular(tmp_path / "x")


@pytest.mark.parametrize("size", [1, 10, 11])
def test_open_regular_limits_are_inclusive(tmp_path: Path, size: int) -> None:
    (tmp_path / "x").write_bytes(bytes(size))
    if size > 10:
        with pytest.raises(RejectedModelError, match="limits are 1 and 10"):
            open_regular(tmp_path / "x", 10)
    else:
        os.close(open_regular(tmp_path / "x", 10))


def test_open_regular_rejects_large_files(tmp_path: Path) -> None:
    with (tmp_path / "x").open("wb") as file:
        file.truncate(MAX_MODEL_BYTES + 1)
    with pytest.raises(RejectedModelError, match="make a smaller model"):
        open_regular(tmp_path / "x")


def test_open_regular_returns_a_descriptor_of_the_file(tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(b"content")
    with os.fdopen(open_regular(tmp_path / "x"), "rb") as file:
        assert file.read() == b"content"


def test_open_regular_missing_file_raises(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        open_regular(tmp_path / "x")
