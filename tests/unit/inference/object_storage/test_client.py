"""Clients of object storage read secrets from files, and explain invalid settings."""

import os
from pathlib import Path

import pytest

from inference.object_storage.client import BUCKET_PATTERN, open_bucket
from inference.object_storage.provider import Provider


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)


def test_secret_comes_from_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "key").write_text("from a file\n")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY_FILE", str(tmp_path / "key"))
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "id")
    store = open_bucket(Provider.S3, "s3://bucket/models", 10, 20)
    assert os.environ["AWS_SECRET_ACCESS_KEY"] == "from a file"
    assert "from a file" not in repr(store)


def test_secret_file_that_is_missing_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY_FILE", str(tmp_path / "missing"))
    with pytest.raises(ValueError, match=r"AWS_SECRET_ACCESS_KEY_FILE=.* cannot be read"):
        open_bucket(Provider.S3, "s3://bucket/models", 10, 20)


def test_endpoint_without_http_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "minio:9000")
    with pytest.raises(ValueError, match="AWS_ENDPOINT_URL is not an HTTP address"):
        open_bucket(Provider.S3, "s3://bucket/models", 10, 20)


@pytest.mark.parametrize(
    ("url", "is_bucket"),
    [
        ("s3://bucket/models", True),
        ("gs://bucket", True),
        ("az://container/a/b/", True),
        ("s3://user:secret@bucket/models", False),
        ("s3://bucket/../models", False),
        ("s3://bucket//models", False),
        ("https://bucket/models", False),
        ("s3://b", False),
    ],
)
def test_bucket_pattern_takes_plain_urls_only(url: str, *, is_bucket: bool) -> None:
    assert (BUCKET_PATTERN.fullmatch(url) is not None) == is_bucket
