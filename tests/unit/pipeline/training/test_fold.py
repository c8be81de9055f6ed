"""Folds: the dataset of a fold on another machine comes from the storage."""

import json
from pathlib import Path
from typing import Any

import pytest

from inference.originals.open_store import open_store
from pipeline.training import artifact, fold
from pipeline.training.fold import measure_fold


@pytest.fixture
def jobs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    """Jobs that were run, with the content of their dataset. Nothing is trained."""
    found: list[dict[str, Any]] = []

    def run(_module: str, request: str, log: Path, _report: Any) -> dict[str, Any]:
        job = json.loads(request)
        content = Path(job["data_file"]).read_bytes()
        found.append({**job, "content": content, "has_folder": log.parent.exists()})
        return {"outcome": "finished"}

    monkeypatch.setattr(fold, "run_child", run)
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    (tmp_path / "temporary").mkdir()
    return found


def test_measure_fold_of_this_machine_uses_its_paths(
    tmp_path: Path, jobs: list[dict[str, Any]]
) -> None:
    data = tmp_path / "a.npz"
    data.write_bytes(b"digits")
    job = {"folder": str(tmp_path / "fold"), "data_file": str(data), "fold": 1}
    assert measure_fold(job) == {"outcome": "finished"}
    assert (jobs[0]["content"], jobs[0]["folder"]) == (b"digits", str(tmp_path / "fold"))


def test_measure_fold_elsewhere_fetches_the_dataset_once(
    tmp_path: Path, jobs: list[dict[str, Any]]
) -> None:
    store = open_store(str(tmp_path / "images"))
    artifact.put(store, b"digits", "npz")
    key = artifact.key_of(b"digits", "npz")
    stored = {"store": store.url, "key": key}
    job = {"folder": "/not/here", "data_file": "/not/here.npz", "fold": 1}
    measure_fold(job, stored)
    store.delete([key])
    measure_fold(job, stored)
    assert [job["content"] for job in jobs] == [b"digits"] * 2
    folders = [Path(job["folder"]) for job in jobs]
    assert all(job["has_folder"] for job in jobs)
    assert not any(folder.exists() for folder in folders)


@pytest.mark.parametrize("content", [None, b"other bytes"])
def test_measure_fold_without_its_dataset_raises(
    tmp_path: Path, jobs: list[dict[str, Any]], content: bytes | None
) -> None:
    store = open_store(str(tmp_path / "images"))
    key = artifact.key_of(b"digits", "npz")
    if content is not None:
        store.put(key, content)
    with pytest.raises(OSError, match="does not have the dataset"):
        measure_fold(
            {"folder": "/x", "data_file": "/x", "fold": 1}, {"store": store.url, "key": key}
        )
    assert jobs == []
