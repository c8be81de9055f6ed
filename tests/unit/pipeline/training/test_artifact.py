"""Candidate artifacts: deterministic archives."""

import os
import zipfile
from io import BytesIO
from pathlib import Path

import pytest

from inference.originals.open_store import open_store
from pipeline.training import artifact


def write(folder: Path, names: tuple[str, ...] = artifact.FILES) -> Path:
    folder.mkdir()
    for name in names:
        (folder / name).write_bytes(name.encode())
    return folder


def test_pack_is_equal_for_equal_files_of_any_age(tmp_path: Path) -> None:
    first, second = write(tmp_path / "a"), write(tmp_path / "b", artifact.FILES[::-1])
    (second / "model.keras").chmod(0o600)
    os.utime(second / "card.json", (1e9, 1e9))
    assert artifact.pack(first) == artifact.pack(second)


def test_pack_holds_the_three_files(tmp_path: Path) -> None:
    folder = write(tmp_path / "a")
    (folder / "other.txt").write_text("x")
    archive = zipfile.ZipFile(BytesIO(artifact.pack(folder)))
    assert {name: archive.read(name) for name in archive.namelist()} == {
        name: name.encode() for name in artifact.FILES
    }


def test_pack_without_a_file_raises(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError, match="card"):
        artifact.pack(write(tmp_path / "a", artifact.FILES[:2]))


def test_put_stores_content_below_its_digest(tmp_path: Path) -> None:
    store = open_store(str(tmp_path))
    url = artifact.put(store, b"content", "zip")
    assert url.endswith(f"/{artifact.key_of(b'content', 'zip')}")
    assert store.get(artifact.key_of(b"content", "zip")) == b"content"
