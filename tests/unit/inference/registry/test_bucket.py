"""Bucket: objects by key, parts of bounded size, and errors that say what to do."""

import io
import tempfile
from pathlib import Path

import pytest

from inference.registry import bucket as module
from inference.registry.bucket import Bucket, RegistryError

INVALID_URLS = [
    "", "models", "/models", "http://host/models", "s3://", "s3://b", "s3://bucket/a/../b",
    "s3://user:secret@bucket/models", "file://", "file:///", "file://host/models",
    "file:///models?x=secret", "memory://",
]  # fmt: skip


@pytest.fixture
def bucket(tmp_path: Path) -> Bucket:
    return Bucket(f"file://{tmp_path}/")


@pytest.mark.parametrize("url", INVALID_URLS)
def test_invalid_url_is_explained_without_its_text(url: str) -> None:
    with pytest.raises(ValueError, match=r"MODELS_URL must be s3://bucket/prefix") as caught:
        Bucket(url)
    assert "secret" not in str(caught.value)


def test_url_loses_its_last_slash() -> None:
    assert Bucket("s3://bucket/models/").url == "s3://bucket/models"


def test_read_passes_parts_of_bounded_size(
    bucket: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "PART_BYTES", 4)
    (tmp_path / "a").write_bytes(b"0123456789")
    parts: list[bytes] = []
    bucket.read("a", 10, parts.append)
    assert parts == [b"0123", b"4567", b"89"]


def test_read_of_a_missing_or_shorter_object_raises(bucket: Bucket, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"0")
    for key, size in (("missing", 1), ("a", 2)):
        with pytest.raises((FileNotFoundError, RegistryError)):
            bucket.read(key, size, lambda _: None)


def test_create_succeeds_once(bucket: Bucket, tmp_path: Path) -> None:
    assert [bucket.create("m/1/.claim", text) for text in (b"1", b"2")] == [True, False]
    assert (tmp_path / "m" / "1" / ".claim").read_bytes() == b"1"


def test_list_numbers_has_claimed_ones(bucket: Bucket) -> None:
    bucket.create("m/3/.claim", b"")
    bucket.put("m/12/card.json", io.BytesIO(b"{}"))
    bucket.put("m/odd/card.json", io.BytesIO(b"{}"))
    bucket.put("n/50/card.json", io.BytesIO(b"{}"))
    assert sorted(bucket.list_numbers("m")) == [3, 12]
    assert bucket.list_numbers("none") == []


def test_list_of_one_model_leaves_out_others(bucket: Bucket) -> None:
    bucket.put("m/1/card.json", io.BytesIO(b"{}"))
    bucket.put("m2/1/card.json", io.BytesIO(b"{}"))
    assert [key for key, _ in bucket.list_objects("m")] == ["m/1/card.json"]
    assert len(bucket.list_objects()) == 2


def test_list_of_too_many_objects_is_explained(
    bucket: Bucket, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_OBJECTS", 2)
    for number in range(3):
        bucket.put(f"m/{number}", io.BytesIO(b"{}"))
    with pytest.raises(RegistryError, match=r"has more than 2 objects. Give MODELS_URL a prefix"):
        bucket.list_objects()


def test_missing_directory_is_explained_until_it_exists() -> None:
    with tempfile.TemporaryDirectory() as folder:
        bucket = Bucket(f"file://{folder}/registry")
        with pytest.raises(RegistryError, match=r"Cannot list file:///.* directory exists"):
            bucket.list_objects()
        Path(folder, "registry").mkdir()
        assert bucket.list_objects() == []
