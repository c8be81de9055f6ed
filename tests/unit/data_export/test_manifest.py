import json

import pytest

from data_export import manifest
from data_export.errors import ExportError
from data_export.manifest import ExportedFile


def entry(path: str, rows: int = 1) -> ExportedFile:
    return ExportedFile(
        path,
        "events",
        "2026-11-27",
        day_is_over=True,
        rows=rows,
        bytes=100,
        snapshot_at="2026-11-28T00:00:00+00:00",
    )


def test_manifest_keeps_earlier_files_and_replaces_its_own() -> None:
    first = manifest.build({"since": None}, {}, [entry("a", 1), entry("b", 2)])
    second = manifest.build({"since": "x"}, manifest.parse(first), [entry("b", 3), entry("c", 4)])
    document = json.loads(second)
    assert [(file["path"], file["rows"]) for file in document["files"]] == [
        ("a", 1),
        ("b", 3),
        ("c", 4),
    ]
    assert (document["since"], document["schema_version"]) == ("x", 1)


def test_manifest_that_is_missing_has_no_files() -> None:
    assert manifest.parse(None) == {}


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"schema_version": 1, "files": [1]}'])
def test_manifest_of_something_else_is_refused(content: bytes) -> None:
    with pytest.raises(ExportError, match="Set OUT to another place"):
        manifest.parse(content)


def test_manifest_of_another_version_is_refused() -> None:
    with pytest.raises(ExportError, match="schema version 2"):
        manifest.parse(b'{"schema_version": 2, "files": []}')
