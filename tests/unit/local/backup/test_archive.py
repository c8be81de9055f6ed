"""A backup is read only if it is complete and unchanged."""

from __future__ import annotations

import io
import os
import tarfile
from pathlib import Path

import pytest

from local.backup.archive import DUMP, BackupError, BackupReader, BackupWriter


def tree(files: dict[str, bytes]) -> io.BytesIO:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w|") as archive:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            archive.addfile(entry, io.BytesIO(content))
    stream.seek(0)
    return stream


def make_backup(path: Path, dump: bytes | None = b"dump") -> Path:
    writer = BackupWriter(path)
    assert writer.add_tree("journal", tree({"a.jsonl": b"1\n"})) == 1
    if dump is not None:
        writer.add(DUMP, io.BytesIO(dump), len(dump))
    assert writer.add_tree("images", tree({"ab/abcd.png": b"x", "cd/cdef.jpg": b"y"})) == 2
    assert writer.close({"created_at": "now"}) == path.stat().st_size
    return path


@pytest.mark.parametrize("name", ["b.tar", "b.tar.gz"])
def test_reader_returns_what_the_writer_got(tmp_path: Path, name: str) -> None:
    backup = BackupReader(make_backup(tmp_path / name))
    assert backup.manifest["created_at"] == "now"
    dump, images = io.BytesIO(), io.BytesIO()
    backup.copy_dump(dump)
    assert dump.getvalue() == b"dump"
    assert backup.copy_tree("images", images) == 2
    images.seek(0)
    with tarfile.open(fileobj=images) as archive:
        assert archive.getnames() == ["ab/abcd.png", "cd/cdef.jpg"]


def test_writer_keeps_an_existing_file_and_discards_its_part(tmp_path: Path) -> None:
    make_backup(tmp_path / "b.tar")
    with pytest.raises(BackupError, match="exists"):
        BackupWriter(tmp_path / "b.tar")
    writer = BackupWriter(tmp_path / "c.tar")
    with pytest.raises(BackupError, match="Unexpected file"):
        writer.add_tree("images", tree({"../x": b""}))
    writer.discard()
    assert [path.name for path in tmp_path.iterdir()] == ["b.tar"]


def test_writer_in_a_missing_folder_is_explained(tmp_path: Path) -> None:
    with pytest.raises(BackupError, match="Set FILE"):
        BackupWriter(tmp_path / "none" / "b.tar")


@pytest.mark.parametrize("share", [0.0, 0.3, 0.7, 0.9])
def test_cut_backup_is_rejected(tmp_path: Path, share: float) -> None:
    path = make_backup(tmp_path / "b.tar", bytes(200_000))
    os.truncate(path, int(path.stat().st_size * share))
    with pytest.raises(BackupError, match="not a complete backup"):
        BackupReader(path)


def test_backup_with_any_changed_byte_is_rejected_or_equal(tmp_path: Path) -> None:
    path = make_backup(tmp_path / "b.tar")
    content = path.read_bytes()
    expected = BackupReader(path).manifest
    for position in range(0, len(content), 61):
        changed = bytearray(content)
        changed[position] ^= 0xFF
        path.write_bytes(changed)
        try:
            manifest = BackupReader(path).manifest
        except BackupError:
            continue
        assert manifest == expected  # padding, or a time of the tar header


def test_backup_with_another_database_is_rejected(tmp_path: Path) -> None:
    path = make_backup(tmp_path / "b.tar", b"D" * 1000)
    path.write_bytes(path.read_bytes().replace(b"D" * 1000, b"E" * 1000))
    with pytest.raises(BackupError, match=r"database.dump differs from the manifest"):
        BackupReader(path)


def test_backup_that_changes_after_the_check_is_rejected(tmp_path: Path) -> None:
    path = make_backup(tmp_path / "b.tar")
    backup = BackupReader(path)
    content = path.read_bytes()
    for changed in (content.replace(b"dump\0", b"DUMP\0"), content.replace(b"e.dump", b"e.duXX")):
        assert changed != content
        path.write_bytes(changed)
        with pytest.raises(BackupError, match="meanwhile"):
            backup.copy_dump(io.BytesIO())


def test_backup_without_database_or_of_another_format_is_rejected(tmp_path: Path) -> None:
    with pytest.raises(BackupError, match="database is missing"):
        BackupReader(make_backup(tmp_path / "b.tar", dump=None))
    path = make_backup(tmp_path / "c.tar")
    path.write_bytes(path.read_bytes().replace(b'"format": 1', b'"format": 2'))
    with pytest.raises(BackupError, match="format is 2"):
        BackupReader(path)
    with pytest.raises(BackupError, match="does not exist"):
        BackupReader(tmp_path / "none.tar")
