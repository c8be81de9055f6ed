"""URLs of stores: every form opens the right store, and other forms are rejected."""

from pathlib import Path

import pytest

from inference.originals.local_store import LocalStore
from inference.originals.object_store import ObjectStore
from inference.originals.open_store import open_store

KEY = "ab/abcdef0123456789.png"
SECRET = "not-to-be-seen"


@pytest.mark.parametrize(
    "url",
    [
        "", "http://localhost/bucket", "file://server/directory", "file://", "file:///", "s3://",
        "s3://a", f"s3://key:{SECRET}@bucket/prefix", "s3://bucket/../other", "s3://bucket//prefix",
        "s3://bucket/a?b", "s3://bucket/a#b", "s3://Bucket/a", "gs://",
        f"az://x:{SECRET}@account/c",
    ],
)  # fmt: skip
def test_open_store_with_another_url_does_not_repeat_it(url: str) -> None:
    with pytest.raises(ValueError, match="must be a directory") as rejection:
        open_store(url)
    assert SECRET not in str(rejection.value)


@pytest.mark.parametrize("scheme", ["s3", "gs", "az"])
def test_open_store_with_a_bucket_keeps_its_url(scheme: str) -> None:
    store = open_store(f"{scheme}://my-bucket/a/v=1/")
    assert isinstance(store, ObjectStore)
    assert store.url == f"{scheme}://my-bucket/a/v=1"


def test_open_store_with_a_path_is_a_directory() -> None:
    assert isinstance(open_store("/images"), LocalStore)


def test_open_store_with_path_and_file_url_is_the_same(tmp_path: Path) -> None:
    plain = open_store(str(tmp_path / "a b%20c"))
    assert open_store(plain.url).url == plain.url
    assert plain.put(KEY, b"1") == (tmp_path / "a b%20c" / KEY).as_uri()


def test_open_store_makes_a_relative_path_absolute(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    store = open_store(".local/images")
    monkeypatch.chdir("/")
    store.put(KEY, b"1")
    assert (tmp_path / ".local/images" / KEY).read_bytes() == b"1"
