"""Versions: differences in a store, verified when they are read."""

import hashlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from inference.originals.local_store import LocalStore
from pipeline.data import versions
from pipeline.data.rows import Content, Row, dataset_digest
from pipeline.data.versions import StoredVersion, UnreadableVersionError

BASE = "c" * 64


def pixels(number: int) -> bytes:
    return np.full(784, number, np.uint8).tobytes()


def content(numbers: range, label: str = "3") -> Content:
    """Return content with one uploaded row for each number."""
    by_digest = {hashlib.sha256(pixels(number)).hexdigest(): pixels(number) for number in numbers}
    rows = {
        digest: Row(digest, label, "train", 1, "upload", None, f"row {image[0]}", 4)
        for digest, image in by_digest.items()
    }
    return Content(BASE, rows, pixels=dict(sorted(by_digest.items())))


def stored(store: LocalStore, number: int, parent: Content | None, new: Content) -> StoredVersion:
    return StoredVersion(
        number, dataset_digest(new.base_sha256, new.rows()), versions.save(store, parent, new)[0]
    )


def test_chain_of_versions_reads_back(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    person = Row(hashlib.sha256(pixels(9)).hexdigest(), "ü", "test", 1, "audit", "anna")
    contents = [
        content(range(3)),
        content(range(1, 5), "4"),
        replace(content(range(4)), conflicts={"d" * 64: "Labeled 3 at a."}),
        replace(content(range(9, 10)), answered={person.digest: person}),
        Content("e" * 64),
    ]
    chain: list[StoredVersion] = []
    parent = None
    for number, new in enumerate(contents):
        chain.append(stored(store, number, parent, new))
        assert versions.load(store, chain) == new
        parent = new


def test_version_stores_only_new_pixels() -> None:
    large, larger = content(range(200)), content(range(201))
    assert len(versions.encode(large, larger)) < len(versions.encode(Content(BASE), larger)) / 3


def test_version_is_the_same_bytes_for_the_same_content(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    shuffled = content(range(5))
    rows = {key: shuffled.uploaded[key] for key in reversed(list(shuffled.uploaded))}
    first = versions.save(store, None, content(range(5)))
    assert versions.save(store, None, replace(shuffled, uploaded=rows)) == first


def test_missing_object_is_unreadable(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    version = stored(store, 3, None, content(range(2)))
    store.delete(["/".join(version.url.rsplit("/", 2)[1:])])
    with pytest.raises(UnreadableVersionError, match=r"dataset 3 .* is missing\. Restore it"):
        versions.load(store, [version])


def test_damaged_object_is_unreadable(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    version = stored(store, 3, None, content(range(2)))
    Path(version.url.removeprefix("file://")).write_bytes(b"damaged")
    with pytest.raises(UnreadableVersionError, match="is damaged"):
        versions.load(store, [version])


def test_object_of_another_dataset_is_unreadable(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    version = stored(store, 3, None, content(range(2)))
    with pytest.raises(UnreadableVersionError, match="does not have the dataset's digest"):
        versions.load(store, [replace(version, digest="f" * 64)])


def test_image_with_another_digest_is_unreadable(tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    good = content(range(2))
    forged = replace(good, pixels=dict.fromkeys(good.pixels, pixels(77)))
    version = stored(store, 3, None, forged)
    with pytest.raises(UnreadableVersionError, match="has another digest"):
        versions.load(store, [version])


@pytest.mark.parametrize("data", [b"", b"PK\x03\x04", b"text"])
def test_object_that_is_not_npz_is_unreadable(data: bytes, tmp_path: Path) -> None:
    store = LocalStore(tmp_path)
    digest = hashlib.sha256(data).hexdigest()
    url = store.put(f"{digest[:2]}/{digest}.npz", data)
    with pytest.raises(UnreadableVersionError, match="is damaged"):
        versions.load(store, [StoredVersion(3, "f" * 64, url)])
