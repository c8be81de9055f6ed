"""Trees are packed as a running service leaves them, and swapped in whole."""

from __future__ import annotations

import io
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest

from local.backup import trees


def write(folder: Path, files: dict[str, bytes]) -> None:
    for name, content in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)


def read(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob("*")
        if path.is_file()
    }


def packed(kind: str, folder: Path) -> io.BytesIO:
    stream = io.BytesIO()
    trees.pack(kind, folder, stream)
    stream.seek(0)
    return stream


def test_pack_of_the_journal_has_complete_records_only(tmp_path: Path) -> None:
    source = tmp_path / "source"
    write(
        source,
        {
            "a.000001.jsonl": b"1\n2\npart",
            "b.000001.jsonl": b"part",
            "refused.log": b"3\n",
            "shipped.json": b"{}",
            "c.000001.new": b"4\n",
        },
    )
    (source / "d.000001.jsonl").symlink_to("/etc/passwd")
    trees.unpack(tmp_path / "target", packed("journal", source))
    assert read(tmp_path / "target" / trees.RESTORING) == {
        "a.000001.jsonl": b"1\n2\n",
        "b.000001.jsonl": b"",
        "refused.log": b"3\n",
    }


def test_pack_of_the_originals_ignores_unfinished_ones(tmp_path: Path) -> None:
    source = tmp_path / "source"
    write(source, {"ab/abcd.png": b"x", ".unfinished/tmp1": b"y", "other": b"z"})
    trees.unpack(tmp_path / "target", packed("images", source))
    assert read(tmp_path / "target" / trees.RESTORING) == {"ab/abcd.png": b"x"}


def test_pack_of_a_missing_folder_is_empty(tmp_path: Path) -> None:
    with tarfile.open(fileobj=packed("images", tmp_path / "none")) as archive:
        assert archive.getnames() == []


def test_unpack_rejects_other_names(tmp_path: Path) -> None:
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        archive.addfile(tarfile.TarInfo("../evil.jsonl"))
    stream.seek(0)
    with pytest.raises(ValueError, match="evil"):
        trees.unpack(tmp_path / "target", stream)
    assert not (tmp_path / "evil.jsonl").exists()


def test_swap_replaces_everything_and_undo_restores_it(tmp_path: Path) -> None:
    present = {"a.jsonl": b"1\n", "shipped.json": b"{}", "ab/x.png": b"x"}
    restored = {"a.jsonl": b"2\n", "b.jsonl": b"3\n"}
    write(tmp_path, present)
    write(tmp_path / trees.RESTORING, restored)
    trees.swap(tmp_path)
    trees.undo(tmp_path)
    trees.finish(tmp_path)
    assert read(tmp_path) == present
    trees.undo(tmp_path)  # nothing to undo
    write(tmp_path / trees.RESTORING, restored)
    trees.swap(tmp_path)
    trees.finish(tmp_path)
    assert read(tmp_path) == restored


def test_commands_run_without_other_modules(tmp_path: Path) -> None:
    """As in a container of the service, which has only the text of the module."""
    write(tmp_path / "source", {"a.jsonl": b"1\n"})

    def run(*arguments: str, content: bytes = b"") -> bytes:
        text = Path(trees.__file__).read_text()
        command = [sys.executable, "-I", "-c", text, *arguments]
        return subprocess.run(command, input=content, capture_output=True, check=True).stdout

    source, target = str(tmp_path / "source"), str(tmp_path / "target")
    assert run("count", "journal", source) == b"1\n"
    run("unpack", target, content=run("pack", "journal", source))
    for command in ("swap", "finish"):
        run(command, target)
    assert read(tmp_path / "target") == {"a.jsonl": b"1\n"}
