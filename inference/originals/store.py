"""Store interface: objects by key, in a local directory or in cloud object storage."""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import BinaryIO


class StorageUnavailableError(Exception):
    """The storage cannot be used at the moment. The message never holds a secret."""


@dataclass(frozen=True)
class PutResult:
    """Outcome of `put_many`: each key is either in `urls` or in `failures`."""

    urls: Mapping[str, str]
    failures: Mapping[str, StorageUnavailableError]


@dataclass(frozen=True)
class StoredObject:
    """Name and size in bytes of an object in a listing."""

    key: str
    bytes: int


@dataclass(frozen=True)
class ReadResult:
    """Outcome of `read_many`: an object that does not exist is in neither."""

    objects: Mapping[str, bytes]
    failures: Mapping[str, StorageUnavailableError]


class OriginalStore(ABC):
    """Objects by key. `url` is the address of the whole store, without credentials."""

    url: str

    def put(self, key: str, data: bytes) -> str:
        """Store an object atomically, replacing one of the same key, and return its URL.

        Raises StorageUnavailableError, and ValueError for an invalid key.
        """
        result = self.put_many({key: data})
        for failure in result.failures.values():
            raise failure
        return result.urls[key]

    @abstractmethod
    def put_many(self, objects: Mapping[str, bytes]) -> PutResult:
        """Store objects, each atomically. The failure of one does not affect the others.

        Raises ValueError for an invalid key before anything is stored.
        """

    @abstractmethod
    def put_file(self, key: str, file: BinaryIO) -> str:
        """Store the rest of a file as an object, piece by piece, and return its URL.

        Atomic as `put`, for objects that are too large for the memory. Raises
        StorageUnavailableError, and ValueError for an invalid key.
        """

    @abstractmethod
    def get(self, key: str) -> bytes | None:
        """Return an object, or None if it does not exist.

        Raises StorageUnavailableError, and ValueError for an invalid key.
        """

    @abstractmethod
    def delete(self, keys: Sequence[str]) -> Mapping[str, StorageUnavailableError]:
        """Delete objects and return a failure for each object that remains.

        A key without an object is not a failure. Raises StorageUnavailableError when the store
        does not accept the request, and ValueError for an invalid key before anything is deleted.
        """

    @abstractmethod
    def list_keys(self, prefix: str, after: str = "", limit: int = 1000) -> list[StoredObject]:
        """Return at most `limit` objects in a folder and below, in the order of their names.

        The order is that of the UTF-8 bytes. An empty prefix lists the whole store. For the next
        page, `after` is the last key of the page before. Names that `keys.is_listed` rejects are
        left out. Raises StorageUnavailableError, and ValueError for an invalid prefix.
        """

    @abstractmethod
    def read_many(self, names: Sequence[str], max_bytes: int) -> ReadResult:
        """Return the content of listed objects, each cut off after `max_bytes`.

        The failure of one does not affect the others. Raises ValueError for a name that is never
        listed, before anything is read.
        """
