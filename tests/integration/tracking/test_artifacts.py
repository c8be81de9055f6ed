"""Artifacts: what is stored, what is only named, and the files that remain."""

from __future__ import annotations

from pathlib import Path

import pytest

from local.backup import trees
from tests.conftest import digit_png
from tests.integration.tracking.conftest import MAX_ARTIFACT_BYTES, Query
from tracking.errors import InvalidError, UnknownArtifactError, UnknownRunError
from tracking.runs import NewRun
from tracking.storage.artifacts import MAX_NOTED, MAX_STORED, NOT_TEXT
from tracking.storage.stores import Stores


@pytest.fixture
def run_id(stores: Stores) -> str:
    """A run."""
    return stores.runs.create(NewRun("a", "mlflow")).run.run_id


def files(images: Path) -> int:
    return sum(path.is_file() for path in images.rglob("*"))


def test_text_and_images_are_stored(stores: Stores, run_id: str, images: Path) -> None:
    png = digit_png("7")[:MAX_ARTIFACT_BYTES]
    for path, content, kind in (
        ("summary.txt", "Größe\n".encode(), "text/plain"),
        ("plots/a.json", b"{}", "application/json"),
        ("plots/image.txt", png, "image/png"),
        ("empty", b"", "text/plain"),
    ):
        artifact = stores.artifacts.put(run_id, path, content)
        assert (artifact.media_type, artifact.refused) == (kind, None)
        assert stores.artifacts.read(run_id, path).content == content
    listed = [artifact.path for artifact in stores.artifacts.list(run_id, "plots")]
    assert listed == ["plots/a.json", "plots/image.txt"]
    assert len(stores.artifacts.list(run_id)) == 4
    # A backup of the originals has them, too.
    assert len(list(trees.find("images", images))) == 4


def test_other_content_is_only_named(stores: Stores, run_id: str, images: Path) -> None:
    refused = stores.artifacts.put(run_id, "model.txt", b"\x80\x04\x95\x00")
    assert (refused.refused, refused.size) == (NOT_TEXT, 4)
    large = stores.artifacts.put(run_id, "large.txt", b"a" * (MAX_ARTIFACT_BYTES + 1))
    assert large.refused is not None
    assert files(images) == 0
    with pytest.raises(UnknownArtifactError):
        stores.artifacts.read(run_id, "model.txt")


def test_replaced_file_is_deleted(stores: Stores, run_id: str, images: Path) -> None:
    for content in (b"a", b"b", b"b"):
        stores.artifacts.put(run_id, "x.txt", content)
    stores.artifacts.put(run_id, "y.txt", b"b")
    assert files(images) == 1
    stores.artifacts.put(run_id, "x.txt", b"c")
    assert files(images) == 2
    assert stores.artifacts.read(run_id, "y.txt").content == b"b"


def test_number_of_files_is_limited(stores: Stores, run_id: str, sql: Query) -> None:
    sql(
        "INSERT INTO run_artifacts (experiment_id, path, media_type, bytes, digest, url)"
        " SELECT id, 'f' || n, 'text/plain', 1, 'd', 'u' FROM experiments,"
        " generate_series(1, %s) n",
        MAX_STORED,
    )
    full = stores.artifacts.put(run_id, "one.txt", b"a")
    assert full.refused == f"The run has {MAX_STORED} files already."
    for number in range(MAX_NOTED - MAX_STORED - 1):
        stores.artifacts.note_refused(run_id, f"n{number}", 1, "No.")
    with pytest.raises(InvalidError, match=str(MAX_NOTED)):
        stores.artifacts.note_refused(run_id, "last", 1, "No.")


@pytest.mark.parametrize(
    "path", ["", "/a", "a/", "a//b", "../a", "a/./b", "a\\b", "a\0", "x" * 501]
)
def test_invalid_path_is_refused(stores: Stores, run_id: str, path: str) -> None:
    with pytest.raises(InvalidError):
        stores.artifacts.put(run_id, path, b"a")


def test_unknown_run_is_refused(stores: Stores) -> None:
    with pytest.raises(UnknownRunError):
        stores.artifacts.put("f" * 32, "a", b"a")
    with pytest.raises(UnknownRunError):
        stores.artifacts.list("f" * 32)
