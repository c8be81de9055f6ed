"""The object store reads its endpoint and credentials from the environment."""

import io
import os

import pytest

from inference.originals.open_store import open_store
from inference.originals.store import StorageUnavailableError

KEY = "ab/abcdef0123456789.png"


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(("AWS_", "AZURE_", "GOOGLE_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "secret")


@pytest.mark.parametrize("address", ["s3.example.org", "nonsense", "ftp://s3.example.org", "http:"])
def test_endpoint_without_http_is_explained(monkeypatch: pytest.MonkeyPatch, address: str) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", address)
    store = open_store("s3://bucket")
    for use in (
        lambda: store.get(KEY),
        lambda: store.put(KEY, b"1"),
        lambda: store.put_file(KEY, io.BytesIO(b"1")),
        lambda: store.delete([KEY]),
    ):
        with pytest.raises(
            StorageUnavailableError, match=r"AWS_ENDPOINT_URL is not an HTTP address. Set it"
        ):
            use()


def test_empty_variables_count_as_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("AWS_ENDPOINT_URL_S3", "")
    monkeypatch.setenv("AWS_SESSION_TOKEN", "")
    with pytest.raises(StorageUnavailableError, match="does not answer"):
        open_store("s3://bucket").get(KEY)


def test_azure_without_an_account_names_the_variables() -> None:
    with pytest.raises(StorageUnavailableError, match="Set AZURE_STORAGE_ACCOUNT_NAME"):
        open_store("az://container/images").get(KEY)


def test_azure_that_is_down_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_NAME", "account")
    monkeypatch.setenv("AZURE_STORAGE_ACCOUNT_KEY", "a2V5")
    monkeypatch.setenv("AZURE_STORAGE_ENDPOINT", "http://127.0.0.1:1")
    with pytest.raises(
        StorageUnavailableError, match=r"Azure does not answer.*AZURE_STORAGE_ENDPOINT"
    ):
        open_store("az://container/images").get(KEY)


def test_google_that_is_down_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOOGLE_BASE_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("GOOGLE_SKIP_SIGNATURE", "true")
    with pytest.raises(
        StorageUnavailableError, match=r"Google Cloud Storage does not answer.*GOOGLE_BASE_URL"
    ):
        open_store("gs://bucket/images").get(KEY)


def test_google_with_broken_credentials_names_the_variable(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GOOGLE_SERVICE_ACCOUNT_KEY", "not JSON")
    with pytest.raises(StorageUnavailableError, match="Set GOOGLE_SERVICE_ACCOUNT_KEY"):
        open_store("gs://bucket/images").get(KEY)
