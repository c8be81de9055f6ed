"""The store interface: `put` is a `put_many` of one object."""

from collections.abc import Mapping, Sequence
from typing import BinaryIO

import pytest

from inference.originals.store import (
    OriginalStore,
    PutResult,
    ReadResult,
    StorageUnavailableError,
    StoredObject,
)

KEY = "ab/abcd.png"


class FakeStore(OriginalStore):
    def __init__(self, failures: Mapping[str, StorageUnavailableError]) -> None:
        self.url = "fake://store"
        self._failures = failures

    def put_many(self, objects: Mapping[str, bytes]) -> PutResult:
        urls = {key: f"{self.url}/{key}" for key in objects if key not in self._failures}
        return PutResult(urls, self._failures)

    def put_file(self, key: str, file: BinaryIO) -> str:
        raise NotImplementedError

    def get(self, key: str) -> bytes | None:
        raise NotImplementedError

    def delete(self, keys: Sequence[str]) -> Mapping[str, StorageUnavailableError]:
        raise NotImplementedError

    def list_keys(self, prefix: str, after: str = "", limit: int = 1000) -> list[StoredObject]:
        raise NotImplementedError

    def read_many(self, names: Sequence[str], max_bytes: int) -> ReadResult:
        raise NotImplementedError


def test_put_returns_the_url() -> None:
    assert FakeStore({}).put(KEY, b"1") == "fake://store/ab/abcd.png"


def test_put_raises_the_failure() -> None:
    failure = StorageUnavailableError("The disk is full.")
    with pytest.raises(StorageUnavailableError, match="disk is full"):
        FakeStore({KEY: failure}).put(KEY, b"1")
