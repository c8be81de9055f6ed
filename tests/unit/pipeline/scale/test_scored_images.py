"""Images of a storage prefix are read as the service reads them, each error in its own row."""

import hashlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from inference.originals.local_store import LocalStore
from inference.preprocessing.digits import PreprocessedImage
from pipeline.scale import scored_images
from pipeline.scale.scored_images import ScoredImages, list_images, read_prefix
from pipeline.scale.scored_models import UnusableRequestError
from tests.support.serial_executor import serial_runner


def store_of(folder: Path, files: dict[str, bytes]) -> LocalStore:
    for name, data in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(data)
    return LocalStore(folder)


def read(store: LocalStore, prefix: str, max_bytes: int = 10_000) -> ScoredImages:
    return read_prefix(store, prefix, max_bytes, serial_runner(), lambda _done, _total: None)


def test_read_prefix_returns_canonical_images(tmp_path: Path, digits: dict[str, bytes]) -> None:
    store = store_of(tmp_path, {f"in/{label}.png": data for label, data in digits.items()})

    images = read(store, "in")

    expected = [PreprocessedImage.from_bytes(digits[label]) for label in sorted(digits)]
    assert images.keys == [f"in/{label}.png" for label in sorted(digits)]
    assert images.digests == [image.digest for image in expected]
    assert (images.pixels == [image.pixels for image in expected]).all()
    assert images.errors == [None] * 10
    assert images.readable().all()


def test_read_prefix_has_a_row_for_each_unreadable_object(
    tmp_path: Path, digits: dict[str, bytes]
) -> None:
    files = {
        "a.png": digits["1"],
        "b.txt": b"text",
        "c.png": b"",
        "d.png": b"\x89PNG" * 9999,
        "e.png": digits["2"],
    }
    images = read(store_of(tmp_path, files), "")
    assert images.readable().tolist() == [True, False, False, False, True]
    assert [str(error)[:20] for error in images.errors or []] == [
        "None",
        "The file is not a su",
        "The file is empty. S",
        "The image is larger ",
        "None",
    ]
    assert not images.pixels[1].any()


def test_read_prefix_reports_progress(
    tmp_path: Path, digits: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(scored_images, "READ_IMAGES", 4)
    store = store_of(tmp_path, {f"{label}.png": data for label, data in digits.items()})
    progress: list[tuple[int, int]] = []
    images = read_prefix(
        store, "", 10_000, serial_runner(), lambda done, total: progress.append((done, total))
    )
    assert len(progress) == 3
    assert progress[-1] == (10, 10)
    assert images.readable().all()


def test_read_prefix_of_an_object_deleted_meanwhile(
    tmp_path: Path, digits: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    store = store_of(tmp_path, {"1.png": digits["1"], "2.png": digits["2"]})
    read_many = store.read_many

    def delete_first(names: Sequence[str], max_bytes: int) -> Any:
        (tmp_path / "1.png").unlink()
        return read_many(names, max_bytes)

    monkeypatch.setattr(store, "read_many", delete_first)
    assert read(store, "").readable().tolist() == [False, True]


def test_list_images_leaves_out_objects_of_the_pipeline(tmp_path: Path) -> None:
    files = {f"ab/abcd.{kind}": b"1" for kind in ("png", "npz", "zip", "bin", "parquet")}
    store = store_of(tmp_path, {**files, "in/data.bin": b"1"})
    assert [found.key for found in list_images(store, "")] == ["ab/abcd.png", "in/data.bin"]


def test_list_images_reads_all_pages(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scored_images, "PAGE", 3)
    store = store_of(tmp_path, {f"{number:02}.png": b"1" for number in range(9)})
    assert len(list_images(store, "")) == 9


def test_list_images_limits_their_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scored_images, "MAX_IMAGES", 2)
    store = store_of(tmp_path, {f"{number}.png": b"1" for number in range(3)})
    with pytest.raises(UnusableRequestError, match="more than 2 images"):
        list_images(store, "")


@pytest.mark.parametrize(("prefix", "reason"), [("unknown", "no images"), ("../in", "folder")])
def test_list_images_explains_an_unusable_prefix(tmp_path: Path, prefix: str, reason: str) -> None:
    with pytest.raises(UnusableRequestError, match=reason):
        list_images(LocalStore(tmp_path), prefix)


def test_with_labels_finds_them_by_digest(tmp_path: Path, digits: dict[str, bytes]) -> None:
    images = read(
        store_of(tmp_path, {"1.png": digits["1"], "2.png": b"", "3.png": digits["3"]}), ""
    )
    digest = images.digests[2]
    assert digest is not None
    assert hashlib.sha256(images.pixels[2].tobytes()).hexdigest() == digest
    assert images.with_labels({digest: "3"}).labels == [None, None, "3"]
