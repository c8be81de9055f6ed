from pathlib import Path

import pytest

from data_export.destination import open_destination
from data_export.errors import ExportError

NAME = "events/day=2026-11-27/part.parquet"


def test_directory_put_replaces_a_whole_file(tmp_path: Path) -> None:
    with open_destination(str(tmp_path / "new" / "out")) as destination:
        for content in (b"old", b"new"):
            file = destination.scratch() / "part.parquet"
            file.write_bytes(content)
            destination.put(NAME, file)
            assert destination.get(NAME) == content
            assert not file.exists()
        assert destination.get("manifest.json") is None
    assert [path.name for path in (tmp_path / "new" / "out").rglob("*") if path.is_file()] == [
        ".lock",
        "part.parquet",
    ]


def test_directory_removes_leftovers_of_a_killed_export(tmp_path: Path) -> None:
    leftover = tmp_path / ".unfinished" / "part.parquet"
    leftover.parent.mkdir()
    leftover.write_bytes(b"half")
    with open_destination(str(tmp_path)) as destination:
        assert list(destination.scratch().iterdir()) == []


def test_directory_beside_another_export_is_refused(tmp_path: Path) -> None:
    with open_destination(str(tmp_path)) as first:
        (first.scratch() / "part.parquet").write_bytes(b"half")
        with (
            pytest.raises(ExportError, match="Another export writes to"),
            open_destination(str(tmp_path)),
        ):
            pass
        assert (first.scratch() / "part.parquet").exists()
    with open_destination(str(tmp_path)):
        pass


def test_directory_that_is_a_file_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.touch()
    with pytest.raises(ExportError, match="Set OUT to a writable directory"):
        open_destination(str(file)).__enter__()


@pytest.mark.parametrize("out", ["", "http://host/x", "s3://", "s3://user:secret@bucket/x"])
def test_destination_of_invalid_url_is_refused(out: str) -> None:
    with pytest.raises(ExportError, match=r"^Invalid OUT\.") as raised:
        open_destination(out).__enter__()
    assert "secret" not in str(raised.value)
